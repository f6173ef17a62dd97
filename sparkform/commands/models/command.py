"""`sparkform models`: what the catalogue holds; with a stack, what lies on which node and fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkform.commands import options

if TYPE_CHECKING:
    from sparkform.catalogue.schema import CatalogueModel
    from sparkform.errors import Problem


def command(
    stack: Annotated[
        Path | None, typer.Argument(metavar="STACK.yaml", help="Pulumi.<stack>.yaml")
    ] = None,
    facts: Annotated[
        Path | None, typer.Option(help="recorded facts: then no node is contacted")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """List the catalogue; with a stack, what lies on which node and what fits there.

    Exit codes: 0 done, 1 a node did not answer, 2 bad input.
    """
    if stack:
        from sparkform.commands.models.inventory_table import print_inventory

        raise typer.Exit(print_inventory(stack, facts, as_json))
    options.require(_check_facts_option(facts))
    show = options.print_json if as_json else _print_table
    show(list_catalogue())


def _check_facts_option(facts: Path | None) -> Problem | None:
    from sparkform.errors import Problem

    if facts is None:
        return None
    return Problem(
        path="--facts",
        message="goes with a stack file",
        remedy="sparkform models STACK.yaml --facts F",
    )


def list_catalogue() -> list[dict[str, Any]]:
    """One record for each checkpoint of each model."""
    from sparkform.catalogue.store import list_models

    return [row for model in list_models() for row in build_documents(model)]


def build_documents(model: CatalogueModel) -> list[dict[str, Any]]:
    """One record for each checkpoint of a model."""
    from sparkform.models.config_reader import read_shape
    from sparkform.models.shape import count_active_parameters, count_parameters

    shape = read_shape(model.merge_config(), model.name)
    return [
        {
            "handle": checkpoint.handle,
            "model": model.name,
            "quant": checkpoint.quant,
            "parameters": count_parameters(shape),
            "active_parameters": count_active_parameters(shape),
            "layers": len(shape.blocks),
            "max_position": shape.max_position,
            "gated": checkpoint.gated,
            "engines": checkpoint.engines,
            "revision": checkpoint.revision or "unverified",
            "sources": checkpoint.sources,
        }
        for checkpoint in model.checkpoints
    ]


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Models of the catalogue")
    for heading in ("handle", "quant", "parameters", "active", "context", "engines", "gated"):
        table.add_column(heading, no_wrap=heading == "handle")
    for row in rows:
        table.add_row(
            row["handle"],
            row["quant"],
            f"{row['parameters'] / 1e9:.1f} B",
            f"{row['active_parameters'] / 1e9:.1f} B",
            f"{row['max_position']:,}" if row["max_position"] else "?",
            ", ".join(row["engines"]),
            "yes" if row["gated"] else "no",
        )
    Console().print(table)
