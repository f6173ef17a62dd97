"""Names, types and sizes of Python code, counted: `python -m benchmarks.house_measures`.

With `--anchor CHECKOUT`, once or more, other projects are measured beside this one by the same
definitions. Tests, examples and documents are left out of each; our own tests have a column.

filler names: bound names (parameters, variables, fields; each once a scope) that say nothing of
    what they hold, from data/fillers.txt.
verb first: functions whose name begins with a word of data/verbs.txt; properties, fixtures, tests
    and what Python or a base class calls by a fixed name are not asked.
Any: functions with `Any`, or an alias of it, in their signature; also the folder with the most.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.source_measures import HouseMeasures
from benchmarks.source_reader import measure_house

ROOT = Path(__file__).parents[1]
PROJECTS = {
    "sparkform": ("sparkform", "node", "components", "policies", "benchmarks"),
    "sparkrack": ("packages/sparkrack",),
    "pulumi-offline": ("packages/pulumi-offline",),
    "tests": ("tests",),
}
"""The projects of this repository, by the folders that they are made of."""

LEFT_OUT = frozenset({"tests", "test", "docs", "doc", "examples", "scripts", "typings", "build"})

ROWS: dict[str, Callable[[HouseMeasures], str]] = {
    "modules": lambda house: f"{len(house.modules):,}",
    "lines": lambda house: f"{sum(house.module_lines):,}",
    "bound names": lambda house: f"{house.names.total():,}",
    "filler names": lambda house: f"{house.filler_share:.2%}",
    "functions": lambda house: f"{len(house.functions):,}",
    "verb first": lambda house: f"{house.verb_share:.1%}",
    "Any in the signature": lambda house: f"{house.any_share:.1%}",
    "the folder with the most": lambda house: _format_worst_folder(house),
    "class names": lambda house: f"{len(house.class_paths):,}",
    "defined more than once": lambda house: f"{len(house.repeated_classes):,}",
    "function lines, median": lambda house: f"{house.get_percentile(house.function_lines, 50)}",
    "function lines, 95 %": lambda house: f"{house.get_percentile(house.function_lines, 95)}",
    "function lines, most": lambda house: f"{max(house.function_lines)}",
    "module lines, median": lambda house: f"{house.get_percentile(house.module_lines, 50)}",
    "module lines, 95 %": lambda house: f"{house.get_percentile(house.module_lines, 95)}",
    "module lines, most": lambda house: f"{max(house.module_lines)}",
}


def list_sources(folder: Path) -> list[Path]:
    """The Python files below a folder that are neither tests, examples nor documents, in order."""
    return sorted(
        path
        for path in folder.rglob("*.py")
        if not any(_is_left_out(part) for part in path.relative_to(folder).parts)
    )


def measure_project(name: str) -> HouseMeasures:
    """The measures of one of PROJECTS."""
    paths = [path for folder in PROJECTS[name] for path in list_sources(ROOT / folder)]
    return measure_house(ROOT, paths)


def _is_left_out(part: str) -> bool:
    return part in LEFT_OUT or part.startswith(".") or part.endswith("_tests")


def _format_worst_folder(house: HouseMeasures) -> str:
    shares = house.any_shares_by_folder
    folder = max(shares, key=lambda name: shares[name], default="")
    return f"{folder} {shares[folder]:.0%}" if folder else ""


def build_table(houses: dict[str, HouseMeasures]) -> Table:
    """One column a project, one row a measure."""
    table = Table()
    table.add_column("measure")
    for name in houses:
        table.add_column(name, justify="right")
    for title, render in ROWS.items():
        table.add_row(title, *(render(house) for house in houses.values()))
    return table


def main(
    anchor: Annotated[
        list[Path] | None, typer.Option(help="A checkout to measure beside this one; repeatable.")
    ] = None,
) -> None:
    """Print one table of all projects."""
    houses = {name: measure_project(name) for name in PROJECTS}
    for checkout in anchor or []:
        houses[checkout.name] = measure_house(checkout, list_sources(checkout))
    Console(width=40 * (len(houses) + 1)).print(build_table(houses))


if __name__ == "__main__":
    typer.run(main)
