"""`sparkform models STACK.yaml`: the report of sparkform.commands.models.inventory, printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkform.commands.declared import DeclaredStack, load
from sparkform.commands.live_report import look, passphrase_of, require_recorded
from sparkform.commands.models.inventory import Copy, Stocked, catalogue_fits, inventory
from sparkform.commands.options import print_json
from sparkform.commands.tables import console, row, table
from sparkform.plan.targets import targets
from sparkform.report.recording import load_facts

if TYPE_CHECKING:
    from sparkform.report.rack_report import Observation

DONE, UNANSWERED = 0, 1


def report(stack: Path, facts: Path | None, as_json: bool) -> int:
    """Print what the stack's nodes hold; the exit code. Raises InputError for unreadable files."""
    declared = load(stack)
    seen = _seen(declared, facts)
    stocked = inventory(declared.spec, seen)
    fits = list(catalogue_fits(declared.spec, seen))
    if as_json:
        print_json(document(declared, seen, stocked, fits))
    else:
        _print_tables(declared, stocked, fits)
    for name, error in seen.errors.items():
        print(f"{name}: {error.what}; {error.remedy}", file=sys.stderr)
    return UNANSWERED if seen.errors else DONE


def document(
    declared: DeclaredStack,
    seen: Observation,
    stocked: Sequence[Stocked],
    fits: Sequence[tuple[str, int | None]],
) -> dict[str, Any]:
    """The report for machines: docs/commands.md describes the keys."""
    return {
        "stack": f"{declared.name.project}/{declared.name.stack}",
        "nodes": {
            node.name: {
                "modelDirectory": node.model_directory,
                "answered": node.name in seen.documents,
            }
            for node in declared.spec.nodes
        },
        "models": [asdict(one) for one in stocked],
        "catalogue": [{"handle": handle, "fits_on_nodes": count} for handle, count in fits],
    }


def _seen(declared: DeclaredStack, facts: Path | None) -> Observation:
    if facts is None:
        return look(targets(declared.spec), passphrase_of(declared))
    found = load_facts(facts)
    require_recorded(found, declared.spec)
    return found


def _print_tables(
    declared: DeclaredStack,
    stocked: Sequence[Stocked],
    fits: Sequence[tuple[str, int | None]],
) -> None:
    screen = console()
    names = [node.name for node in declared.spec.nodes]
    made = table("On the nodes", "model", "asked for by", *names, "fits on")
    for one in stocked:
        cells = [_cell([copy for copy in one.copies if copy.node == name]) for name in names]
        fit = _fit(one.fits_on_nodes) if one.sized else "its size is not known"
        row(made, one.handle, ", ".join(one.wanted_by) or "nothing", *cells, fit)
    screen.print(made if stocked else "No model lies on these nodes, and the stack asks for none.")
    screen.print()
    known = table(f"What fits on these {len(names)} nodes", "model", "fits on")
    for handle, count in fits:
        row(known, handle, _fit(count))
    screen.print(known)


def _cell(copies: Sequence[Copy]) -> str:
    return "; ".join(map(_words, copies))


def _words(copy: Copy) -> str:
    if copy.gib is None:
        return copy.state
    revision = f" at {copy.revision[:12]}" if copy.revision else ""
    lacking = f", lacks {', '.join(copy.missing)}" if copy.state == "incomplete" else ""
    return f"{copy.gib:g} GiB{revision}{lacking}"


def _fit(count: int | None) -> str:
    if count is None:
        return "too large"
    return "1 node" if count == 1 else f"{count} nodes"
