"""Fact `clock`: is the clock kept, by what, and how far is it off.

    {"synchronized": true, "daemon": "timesyncd", "offset_s": 0.001}

`offset_s` is the last offset that the time daemon measured (seconds; positive: this clock is
behind), null where no daemon reports one. The control side adds its own measure
from the document's `unix_time_s`.
"""

from __future__ import annotations

import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_assignments, parse_decimal

_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(us|ms|min|s|h|d)", re.ASCII)
# chronyc -c tracking: reference, name, stratum, time, offset of the system clock, … (chronyc(1)).
_CHRONY_CELLS, _CHRONY_OFFSET = 14, 4


class ClockFact(TypedDict):
    synchronized: bool
    daemon: str | None
    offset_s: float | None


def read(reader: FactReader, request: FactRequest) -> ClockFact:
    return parse(
        timedatectl=reader.run_command("timedatectl", "show"),
        timesync=reader.run_command_or_none("timedatectl", "timesync-status"),
        chrony=reader.run_command_or_none("chronyc", "-c", "tracking"),
    )


def parse(timedatectl: str, timesync: str | None, chrony: str | None) -> ClockFact:
    state = parse_assignments(timedatectl).get("NTPSynchronized")
    if state not in ("yes", "no"):
        raise UnreadableFact("timedatectl: no NTPSynchronized in the answer")
    offsets = {
        "chrony": _parse_chrony_offset(chrony or ""),
        "timesyncd": _parse_timesync_offset(timesync or ""),
    }
    known_offsets = [(daemon, offset) for daemon, offset in offsets.items() if offset is not None]
    daemon, offset_s = known_offsets[0] if known_offsets else (None, None)
    return {
        "synchronized": state == "yes",
        "daemon": daemon,
        "offset_s": offset_s,
    }


def _parse_chrony_offset(chrony: str) -> float | None:
    cells = chrony.strip().split(",")
    # Reference 00000000: the daemon runs but follows no source, so its zero means nothing.
    if len(cells) != _CHRONY_CELLS or not cells[0].strip("0"):
        return None
    return parse_decimal(cells[_CHRONY_OFFSET])


def _parse_timesync_offset(timesync: str) -> float | None:
    for line in timesync.splitlines():
        name, _, value = line.strip().partition(": ")
        parts = _PART.findall(value) if name == "Offset" else []
        if parts:
            total = sum(float(amount) * _UNITS_S[unit] for amount, unit in parts)
            rounded = parse_decimal(f"{total:.9f}")
            return -rounded if rounded is not None and value.startswith("-") else rounded
    return None
