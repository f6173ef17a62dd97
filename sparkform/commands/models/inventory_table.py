"""`sparkform models STACK.yaml`: the report of sparkform.commands.models.inventory, printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkform.commands.declared import DeclaredStack, load_declared_stack
from sparkform.commands.live_report import find_passphrase_source, observe_targets, require_recorded
from sparkform.commands.models.inventory import (
    ModelCopy,
    RackModel,
    list_catalogue_fits,
    list_models,
)
from sparkform.commands.options import print_json
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.plan.targets import list_targets
from sparkform.report.recording import load_facts

if TYPE_CHECKING:
    from sparkform.report.rack_report import Observation

DONE, UNANSWERED = 0, 1


def print_inventory(stack: Path, facts: Path | None, as_json: bool) -> int:
    """Print what the stack's nodes hold; the exit code. Raises InputError for unreadable files."""
    declared = load_declared_stack(stack)
    observation = _observe(declared, facts)
    models = list_models(declared.declaration, observation)
    fits = list(list_catalogue_fits(declared.declaration, observation))
    if as_json:
        print_json(build_document(declared, observation, models, fits))
    else:
        _print_tables(declared, models, fits)
    for name, error in observation.errors.items():
        print(f"{name}: {error.what}; {error.remedy}", file=sys.stderr)
    return UNANSWERED if observation.errors else DONE


def build_document(
    declared: DeclaredStack,
    observation: Observation,
    models: Sequence[RackModel],
    fits: Sequence[tuple[str, int | None]],
) -> dict[str, Any]:
    """The report for machines: docs/commands.md describes the keys."""
    return {
        "stack": f"{declared.name.project}/{declared.name.stack}",
        "nodes": {
            node.name: {
                "modelDirectory": node.model_directory,
                "answered": node.name in observation.reports,
            }
            for node in declared.declaration.nodes
        },
        "models": [asdict(model) for model in models],
        "catalogue": [{"handle": handle, "fits_on_nodes": count} for handle, count in fits],
    }


def _observe(declared: DeclaredStack, facts: Path | None) -> Observation:
    if facts is None:
        return observe_targets(list_targets(declared.declaration), find_passphrase_source(declared))
    observation = load_facts(facts)
    require_recorded(observation, declared.declaration)
    return observation


def _print_tables(
    declared: DeclaredStack,
    models: Sequence[RackModel],
    fits: Sequence[tuple[str, int | None]],
) -> None:
    screen = create_console()
    names = [node.name for node in declared.declaration.nodes]
    node_table = create_table("On the nodes", "model", "asked for by", *names, "fits on")
    for model in models:
        cells = [
            _format_cell([copy for copy in model.copies if copy.node == name]) for name in names
        ]
        fit = _format_fit(model.fits_on_nodes) if model.sized else "its size is not known"
        add_row(node_table, model.handle, ", ".join(model.wanted_by) or "nothing", *cells, fit)
    screen.print(
        node_table if models else "No model lies on these nodes, and the stack asks for none."
    )
    screen.print()
    known = create_table(f"What fits on these {len(names)} nodes", "model", "fits on")
    for handle, count in fits:
        add_row(known, handle, _format_fit(count))
    screen.print(known)


def _format_cell(copies: Sequence[ModelCopy]) -> str:
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
