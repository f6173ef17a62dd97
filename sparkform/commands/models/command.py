"""`sparkform models`: what the catalogue holds; with a stack, what lies on which node and fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkform.commands import options
from sparkform.commands.json_output import print_json
from sparkform.commands.lazy import import_lazily
from sparkform.commands.models.catalogue import CatalogueRow, list_catalogue
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.errors import Problem

if TYPE_CHECKING:
    from sparkform.commands.models import inventory_table
else:
    # Only a stack's inventory needs the planner and SSH.
    inventory_table = import_lazily("sparkform.commands.models.inventory_table")

HEADINGS = ("handle", "quant", "parameters", "active", "context", "engines", "gated")
NUMBERS = ("parameters", "active", "context")


def run(
    stack: Annotated[
        Path | None,
        typer.Argument(metavar="STACK.yaml", help="List the models of a stack's nodes too."),
    ] = None,
    facts: options.RecordedFacts = None,
    every: Annotated[
        bool, typer.Option("--all", help="List what of the catalogue fits on the nodes too.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Nothing is changed on the nodes."""
    if stack:
        raise typer.Exit(inventory_table.print_inventory(stack, facts, every, as_json))
    options.require(_check_facts_option(facts))
    show = print_json if as_json else print_catalogue
    show(list_catalogue())


def _check_facts_option(facts: Path | None) -> Problem | None:
    if facts is None:
        return None
    return Problem(
        path="--facts",
        message="requires a stack file",
        remedy="sparkform models STACK.yaml --facts F",
    )


def print_catalogue(rows: list[CatalogueRow]) -> None:
    table = create_table("Models of the catalogue", *HEADINGS, numbers=NUMBERS)
    for row in rows:
        add_row(
            table,
            row.handle,
            row.quant,
            f"{row.parameters / 1e9:.1f} B",
            f"{row.active_parameters / 1e9:.1f} B",
            f"{row.max_position:,}" if row.max_position else "?",
            ", ".join(row.engines),
            "yes" if row.gated else "no",
        )
    create_console().print(table)
