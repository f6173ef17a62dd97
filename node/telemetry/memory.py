"""Memory figures, from /proc/meminfo. A kernel without CMA has no lines for it."""

from __future__ import annotations

from node.facts.reading import FactReader, UnreadableFact
from node.facts.values import parse_number
from node.telemetry.node_telemetry import MemoryTelemetry


def read(reader: FactReader) -> MemoryTelemetry:
    return parse(reader.read_file("/proc/meminfo"))


def parse(meminfo: str) -> MemoryTelemetry:
    sizes = dict(filter(None, map(_parse_line, meminfo.splitlines())))
    if "MemTotal" not in sizes:
        raise UnreadableFact("/proc/meminfo: no MemTotal")
    return MemoryTelemetry(
        total_kib=sizes["MemTotal"],
        available_kib=sizes.get("MemAvailable"),
        free_kib=sizes.get("MemFree"),
        swap_total_kib=sizes.get("SwapTotal"),
        swap_free_kib=sizes.get("SwapFree"),
        cma_total_kib=sizes.get("CmaTotal"),
        cma_free_kib=sizes.get("CmaFree"),
    )


def _parse_line(line: str) -> tuple[str, int] | None:
    name, _, rest = line.partition(":")
    cells = rest.split()
    size = parse_number(cells[0]) if len(cells) == 2 and cells[1] == "kB" else None
    return None if size is None else (name, size)
