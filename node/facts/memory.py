"""Fact `memory`, in KiB as the kernel counts: total, available, swap, and the swap devices.

{"total_kib": 127601452, "available_kib": 121530368, "swap_total_kib": 16777212,
 "swap_free_kib": 16777212, "swaps": [{"path": "/swap.img", "size_kib": 16777212}]}
"""

from __future__ import annotations

from node.facts.reading import Look, Request, Unreadable
from node.facts.values import number

FIELDS = {
    "total_kib": "MemTotal",
    "available_kib": "MemAvailable",
    "swap_total_kib": "SwapTotal",
    "swap_free_kib": "SwapFree",
}


def read(look: Look, request: Request) -> object:
    return parse(meminfo=look.file("/proc/meminfo"), swaps=look.file("/proc/swaps"))


def parse(meminfo: str, swaps: str) -> object:
    sizes = {field: _kib(meminfo, name) for field, name in FIELDS.items()}
    missing = [FIELDS[field] for field, size in sizes.items() if size is None]
    if missing:
        raise Unreadable(f"/proc/meminfo: no {', '.join(missing)}")
    return {**sizes, "swaps": [swap for swap in map(_swap, swaps.splitlines()[1:]) if swap]}


def _kib(meminfo: str, name: str) -> int | None:
    for line in meminfo.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == f"{name}:" and words[2] == "kB":
            return number(words[1])
    return None


def _swap(line: str) -> dict[str, object] | None:
    words = line.split()
    size = number(words[2]) if len(words) == 5 else None
    return None if size is None else {"path": words[0], "size_kib": size}
