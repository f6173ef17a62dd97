"""What must never be, looked for in the record of a round. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from benchmarks.chaos.records import RoundRecord, SeenRun

OVERLAP_S = 0.05
"""Docker's times of two runs may be apart by so much where one follows the other."""


@dataclass(frozen=True)
class BrokenInvariant:
    """`invariant`: which; `detail`: where it was seen."""

    invariant: str
    detail: str


def find_violations(record: RoundRecord, bound_s: float) -> list[BrokenInvariant]:
    return [
        *find_mixed_epochs(record),
        *find_restarts_under_load(record),
        *find_late_service(record, bound_s),
        *(BrokenInvariant("nothing alive after destroy", text) for text in record.leftovers),
        *(BrokenInvariant("receipts in sync", text) for text in record.differences),
    ]


def find_mixed_epochs(record: RoundRecord) -> Iterator[BrokenInvariant]:
    """Two runs of different epochs, or tokens, that were alive at one time, on any two nodes."""
    for first, second in combinations(record.runs, 2):
        overlap_s = min(first.alive_until, second.alive_until) - max(first.started, second.started)
        if overlap_s > OVERLAP_S and _is_of_another_start(first, second):
            yield BrokenInvariant(
                "never two epochs alive",
                f"{_describe(first)} and {_describe(second)} for {overlap_s:.1f} s",
            )


def _is_of_another_start(first: SeenRun, second: SeenRun) -> bool:
    """A run that no supervisor has recorded is compared by its token alone."""
    if first.token != second.token:
        return True
    return None not in (first.epoch, second.epoch) and first.epoch != second.epoch


def _describe(run: SeenRun) -> str:
    return f"{run.node} {run.run_id} (token {run.token}, epoch {run.epoch})"


def find_restarts_under_load(record: RoundRecord) -> Iterator[BrokenInvariant]:
    """A fault that leaves a group working ends no rank of it; one that breaks it costs one restart
    of each rank."""
    effect = record.fault.effect
    lost = sorted(set(record.before) - set(record.after))
    if effect == "none" and lost:
        yield BrokenInvariant("never a restart during load", f"ended: {', '.join(lost)}")
    started = [run for run in record.runs if run.started > record.began]
    for node in sorted({run.node for run in started}):
        count = sum(run.node == node for run in started)
        if effect in ("none", "restart") and count > 1:
            yield BrokenInvariant(
                "never a restart during load", f"{node}: {count} runs were started"
            )


def find_late_service(record: RoundRecord, bound_s: float) -> Iterator[BrokenInvariant]:
    if record.serving is None:
        yield BrokenInvariant("serving within the bound", f"not within {bound_s:.0f} s")
    elif record.serving - record.mended > bound_s:
        took_s = record.serving - record.mended
        yield BrokenInvariant(
            "serving within the bound", f"after {took_s:.0f} s, not {bound_s:.0f} s"
        )
