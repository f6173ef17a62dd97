"""How many recipes of a collection pass the rules as imported, and why the others do not.

python -m benchmarks.recipe_share FOLDER…                 every YAML, JSON and env file below them
python -m benchmarks.recipe_share FOLDER… --as-if-pinned  as if each registry had named a digest

A collection is read from a checkout of it; nothing of it belongs into this repository.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sparkform.commands.import_recipe.completion import complete
from sparkform.commands.import_recipe.report import build_report
from sparkform.errors import InputError
from sparkform.recipes.conversion import convert
from sparkform.recipes.reading import read_recipes

ENDINGS = (".yaml", ".yml", ".json", ".env")
LONGEST_PROBLEM = 70
PASSED, OTHER_ENGINE = "passes", "no engine of ours"


def main(
    folders: Annotated[list[Path], typer.Argument(help="Read the recipes of these folders.")],
    as_if_pinned: Annotated[bool, typer.Option(help="Take a made-up digest for each tag.")] = False,
) -> None:
    find_digest = get_made_up_digest if as_if_pinned else None
    table = Table("recipes", "result", title=", ".join(map(str, folders)))
    results = [list(judge(file, find_digest)) for file in list_files(folders)]
    passed = sum(result == [PASSED] for result in results)
    counts = Counter(reason for result in results for reason in result)
    for reason, count in counts.most_common():
        table.add_row(str(count), reason)
    console = Console()
    console.print(table)
    console.print(f"{passed} of {len(results)} pass")


def list_files(folders: list[Path]) -> list[Path]:
    return sorted(
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in ENDINGS and file.is_file()
    )


def get_made_up_digest(image: str) -> str:
    return f"sha256:{64 * '0'}"


def judge(file: Path, find_digest: Callable[[str], str] | None) -> Iterator[str]:
    """Every reason why it does not pass; each once."""
    try:
        recipe, *_ = read_recipes(file.read_text(encoding="utf-8"), file.stem)
    except (InputError, UnicodeDecodeError):
        yield OTHER_ENGINE
        return
    report = build_report([complete(convert(recipe), "main", find_digest)], None)
    refusals = {row.rule for row in report.violations if row.severity == "mandatory"}
    problems = {problem[:LONGEST_PROBLEM] for problem in report.problems}
    yield from sorted(refusals | problems) or [PASSED]


if __name__ == "__main__":
    typer.run(main)
