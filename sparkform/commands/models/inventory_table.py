"""`sparkform models STACK.yaml`: what lies on which node, printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sparkform.commands.declared import DeclaredStack, load_declared_stack
from sparkform.commands.json_output import print_json
from sparkform.commands.live_report import load_or_observe, require_recorded
from sparkform.commands.models.inventory import (
    InventoryReport,
    ModelCopy,
    NodeStock,
    list_catalogue_fits,
    list_models,
)
from sparkform.commands.options import FINDINGS
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.plan.targets import list_targets
from sparkform.report.rack_report import Observation


def print_inventory(stack: Path, facts: Path | None, every: bool, as_json: bool) -> int:
    """Print what the stack's nodes hold; the exit code. Raises InputError for unreadable files."""
    declared = load_declared_stack(stack)
    observation = load_or_observe(declared, facts, list_targets(declared.declaration))
    if facts is not None:
        require_recorded(observation, declared.declaration)
    report = build_report(declared, observation)
    if as_json:
        print_json(report)
    else:
        print_tables(report, every)
    for name, error in observation.errors.items():
        print(f"{name}: {error.what}; {error.remedy}", file=sys.stderr)
    return FINDINGS if observation.errors else 0


def build_report(declared: DeclaredStack, observation: Observation) -> InventoryReport:
    return InventoryReport(
        stack=declared.full_name,
        nodes={
            node.name: NodeStock(
                model_directory=node.model_directory, answered=node.name in observation.reports
            )
            for node in declared.declaration.nodes
        },
        models=list_models(declared.declaration, observation),
        catalogue=tuple(list_catalogue_fits(declared.declaration, observation)),
    )


def print_tables(report: InventoryReport, every: bool) -> None:
    """With `every`, what of the catalogue fits comes after what lies there."""
    screen = create_console()
    names = list(report.nodes)
    models = create_table("On the nodes", "model", "requested by", *names, "fits on")
    for model in report.models:
        cells = [
            _format_copies([copy for copy in model.copies if copy.node == name]) for name in names
        ]
        fit = _format_fit(model.fits_on_nodes) if model.sized else "its size is not known"
        add_row(models, model.handle, ", ".join(model.wanted_by) or "nothing", *cells, fit)
    no_models = "No model lies on these nodes, and the stack requests none."
    screen.print(models if report.models else no_models)
    if not every:
        return
    screen.print()
    catalogue = create_table(f"What fits on these {len(names)} nodes", "model", "fits on")
    for entry in report.catalogue:
        add_row(catalogue, entry.handle, _format_fit(entry.fits_on_nodes))
    screen.print(catalogue)


def _format_copies(copies: Sequence[ModelCopy]) -> str:
    return "; ".join(map(_format_copy, copies))


def _format_copy(copy: ModelCopy) -> str:
    if copy.gib is None:
        return copy.state
    revision = f" at {copy.revision[:12]}" if copy.revision else ""
    missing_files = f", lacks {', '.join(copy.missing)}" if copy.state == "incomplete" else ""
    return f"{copy.gib:g} GiB{revision}{missing_files}"


def _format_fit(count: int | None) -> str:
    if count is None:
        return "too large"
    return "1 node" if count == 1 else f"{count} nodes"
