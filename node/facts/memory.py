"""Fact `memory`, in KiB as the kernel counts: total, available, free, contiguous, swap and its
devices.

{"total_kib": 127601452, "available_kib": 121530368, "free_kib": 119210004,
 "cma_total_kib": 65536, "cma_free_kib": 61440, "huge_pages_kib": 0, "swap_total_kib": 16777212,
 "swap_free_kib": 16777212, "swaps": [{"path": "/swap.img", "size_kib": 16777212}]}

`cma_total_kib` and `cma_free_kib` are null on a kernel without contiguous memory (CMA).
"""

from __future__ import annotations

from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_number

FIELDS = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")


class SwapDevice(TypedDict):
    path: str
    size_kib: int


class MemoryFact(TypedDict):
    total_kib: int
    available_kib: int
    free_kib: int | None
    cma_total_kib: int | None
    cma_free_kib: int | None
    huge_pages_kib: int | None
    swap_total_kib: int
    swap_free_kib: int
    swaps: list[SwapDevice]


def read(reader: FactReader, request: FactRequest) -> MemoryFact:
    return parse(meminfo=reader.read_file("/proc/meminfo"), swaps=reader.read_file("/proc/swaps"))


def parse(meminfo: str, swaps: str) -> MemoryFact:
    sizes = {name: size for name in FIELDS if (size := _parse_kib(meminfo, name)) is not None}
    missing = [name for name in FIELDS if name not in sizes]
    if missing:
        raise UnreadableFact(f"/proc/meminfo: no {', '.join(missing)}")
    return {
        "total_kib": sizes["MemTotal"],
        "available_kib": sizes["MemAvailable"],
        "free_kib": _parse_kib(meminfo, "MemFree"),
        "cma_total_kib": _parse_kib(meminfo, "CmaTotal"),
        "cma_free_kib": _parse_kib(meminfo, "CmaFree"),
        "huge_pages_kib": _parse_kib(meminfo, "Hugetlb"),
        "swap_total_kib": sizes["SwapTotal"],
        "swap_free_kib": sizes["SwapFree"],
        "swaps": [swap for swap in map(_parse_swap, swaps.splitlines()[1:]) if swap],
    }


def _parse_kib(meminfo: str, name: str) -> int | None:
    for line in meminfo.splitlines():
        cells = line.split()
        if len(cells) == 3 and cells[0] == f"{name}:" and cells[2] == "kB":
            return parse_number(cells[1])
    return None


def _parse_swap(line: str) -> SwapDevice | None:
    cells = line.split()
    size = parse_number(cells[2]) if len(cells) == 5 else None
    return None if size is None else {"path": cells[0], "size_kib": size}
