"""Reports in which a node could not read some of its items: null, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sparkform.report.facts import Facts, NodeReport, UnreadableItem

REASON = "no answer in 4.8 s"


def list_items(report: NodeReport) -> list[str]:
    """Everything that a node can fail to read."""
    facts = [f"fact {name}" for name in Facts.model_fields]
    return [*facts, *(f"step {name}" for name in report.steps), "receipts", "next_run"]


def hide_items(report: NodeReport, items: Iterable[str], late: bool = True) -> NodeReport:
    unread = [UnreadableItem(what=item, why=REASON, late=late) for item in items]
    names = [item.what.partition(" ") for item in unread]
    facts = {name: None for kind, _, name in names if kind == "fact"}
    steps = {name: None for kind, _, name in names if kind == "step"}
    changes: dict[str, object] = {
        "facts": report.facts.model_copy(update=facts),
        "steps": {**report.steps, **steps},
        "unreadable": (*report.unreadable, *unread),
    }
    if any(kind == "receipts" for kind, _, _ in names):
        changes["receipts"] = {}
    if any(kind == "next_run" for kind, _, _ in names):
        changes["next_run"] = 0
    return report.model_copy(update=changes)


def hide_in_rack(
    reports: Mapping[str, NodeReport], node: str, *items: str
) -> dict[str, NodeReport]:
    return {**reports, node: hide_items(reports[node], items)}
