"""Availability and a table by fault, from the records of rounds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.chaos.faults import KINDS
from benchmarks.chaos.records import RoundRecord
from benchmarks.markdown import render_table

FAULT_EVERY_S = 60.0


def compute_availability(records: Sequence[RoundRecord]) -> float | None:
    """Of a service that meets one of these faults each minute: what is unanswered beyond that
    minute counts as the whole of it. A destroy is asked for and does not count."""
    counted = [record for record in records if record.fault.effect != "end"]
    if not counted:
        return None
    lost_s = sum(min(record.unanswered_s, FAULT_EVERY_S) for record in counted)
    return 1 - lost_s / (FAULT_EVERY_S * len(counted))


def render_summary(records: Sequence[RoundRecord]) -> str:
    availability = compute_availability(records)
    share = "not known" if availability is None else f"{availability:.1%}"
    rows = [row for kind in KINDS if (row := _build_row(records, kind.name))]
    header = ["fault", "rounds", "until recovery, s", "unanswered, s", "at most, s", "serves, s"]
    table = render_table(header, rows)
    return f"{len(records)} rounds; availability under one fault a minute: {share}\n\n{table}"


def _build_row(records: Sequence[RoundRecord], name: str) -> list[str]:
    """Medians; `serves` is counted from the fault's end."""
    chosen = [record for record in records if record.fault.name == name]
    if not chosen:
        return []
    unanswered_s = [record.unanswered_s for record in chosen]
    seen_s = [record.recovering - record.began for record in chosen if record.recovering]
    serves_s = [max(0.0, record.serving - record.mended) for record in chosen if record.serving]
    return [
        name,
        str(len(chosen)),
        _format_median(seen_s),
        _format_median(unanswered_s),
        f"{max(unanswered_s):.1f}",
        _format_median(serves_s),
    ]


def _format_median(values: Sequence[float]) -> str:
    return f"{median(values):.1f}" if values else "-"
