"""Whether the memory of a rank that has ended is back. Pure.

A driver gives it back in pieces, and may not have begun when the process is gone; and what a later
start gets must not be less than what the first restart got.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STEADY_KIB = 128 * 1024
STEADY_S = 3.0
SHORT_STEADY_S = 10.0
"""Where it is less than an earlier restart found: it may not have begun to come back."""

SLACK_KIB = 2**20
LIMIT_S = 60.0


@dataclass(frozen=True)
class MemoryReading:
    at_s: float
    available_kib: int


def is_memory_back(readings: Sequence[MemoryReading], floor_kib: int | None) -> bool:
    """`readings` from the rank's end on; `floor_kib`: what an earlier restart found."""
    if not readings:
        return False
    now_s, last_kib = readings[-1].at_s, readings[-1].available_kib
    if now_s - readings[0].at_s >= LIMIT_S:
        return True
    if floor_kib is not None and last_kib >= floor_kib - SLACK_KIB:
        return True
    steady_s = STEADY_S if floor_kib is None else SHORT_STEADY_S
    earlier = [entry.available_kib for entry in readings if now_s - entry.at_s >= steady_s]
    later = [entry.available_kib for entry in readings if now_s - entry.at_s < steady_s]
    return bool(earlier) and max(later) - max(earlier) < STEADY_KIB
