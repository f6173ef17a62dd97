"""`sparkform import`: another tool's recipe becomes a service block or a whole stack file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from sparkform.commands import options
from sparkform.commands.findings import print_violations
from sparkform.commands.import_recipe.completion import complete
from sparkform.commands.import_recipe.registry import find_digest
from sparkform.commands.import_recipe.report import ImportReport, build_report, render
from sparkform.commands.import_recipe.source import choose_name, read_source
from sparkform.commands.json_output import print_json
from sparkform.config.cluster import MOST_NODES
from sparkform.recipes.conversion import convert
from sparkform.recipes.reading import read_recipes
from sparkform.recipes.recipe import Recipe

UNFIT = re.compile(r"[^a-z0-9]+")
LONGEST_NAME = 40


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL|-",
            help="Read a recipe of sparkrun, spark-vllm-docker or recipes.vllm.ai, a compose file, "
            "a config.env, or a docker run, vllm serve or trtllm-serve line.",
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name the service.")] = None,
    nodes: Annotated[
        int | None, typer.Option(help="Write a whole stack file for this many nodes.")
    ] = None,
    pin: Annotated[
        bool, typer.Option("--pin/--no-pin", help="Try to add the digest of a moving image tag.")
    ] = True,
    as_json: options.AsJson = False,
) -> None:
    """What is left out is named behind the block, and what `check` says goes to stderr."""
    options.require(options.check_range("--nodes", nodes, 1, MOST_NODES))
    recipes = read_recipes(read_source(source), choose_name(source))
    names = _choose_names(recipes, name)
    services = [
        complete(convert(recipe), label, find_digest if pin else None)
        for recipe, label in zip(recipes, names, strict=True)
    ]
    _print(build_report(services, nodes), nodes, as_json)


def _choose_names(recipes: Sequence[Recipe], name: str | None) -> list[str]:
    """Names that a stack file takes, each once."""
    names: list[str] = []
    for recipe in recipes:
        label = _shorten(name or recipe.name)
        number = len([used for used in names if used == label or used.startswith(f"{label}-")])
        names.append(f"{label}-{number + 1}" if label in names else label)
    return names


def _shorten(text: str) -> str:
    """
    >>> _shorten("Qwen3.5 122B"), _shorten("0-Bakeer/x")
    ('qwen3-5-122b', 's-0-bakeer-x')
    """
    label = UNFIT.sub("-", text.lower()).strip("-") or "main"
    prefix = "" if label[0].isalpha() else "s-"
    return f"{prefix}{label}"[:LONGEST_NAME].rstrip("-")


def _print(report: ImportReport, nodes: int | None, as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        print(render(report, nodes), end="")
        for problem in report.problems:
            typer.echo(problem, err=True)
        print_violations(report.violations, err=True)
    raise typer.Exit(options.FINDINGS if report.is_refused else 0)
