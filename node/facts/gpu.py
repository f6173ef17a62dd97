"""Fact `gpu`: the driver and the GPUs that it sees.

    {"driver": "580.95.05",
     "gpus": [{"name": "NVIDIA GB10", "uuid": "GPU-…", "compute_capability": "12.1"}]}

GB10 reports no memory of its own ([N/A]); memory is fact `memory`.
"""

from __future__ import annotations

import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact

FIELDS = ("uuid", "compute_cap", "driver_version", "name")
_UUID = re.compile(r"GPU-[0-9A-Fa-f-]{8,}", re.ASCII)


class GpuEntry(TypedDict):
    name: str
    uuid: str
    compute_capability: str


class GpuFact(TypedDict):
    driver: str
    gpus: list[GpuEntry]


def read(reader: FactReader, request: FactRequest) -> GpuFact:
    query = f"--query-gpu={','.join(FIELDS)}"
    return parse(query=reader.run_command("nvidia-smi", query, "--format=csv,noheader"))


def parse(query: str) -> GpuFact:
    rows = [row for row in map(_parse_row, query.splitlines()) if row]
    if not rows:
        raise UnreadableFact("nvidia-smi: no GPU in the answer")
    return {
        "driver": rows[0][2],
        "gpus": [
            {"name": name, "uuid": uuid, "compute_capability": capability}
            for uuid, capability, _, name in rows
        ],
    }


def _parse_row(line: str) -> tuple[str, str, str, str] | None:
    cells = [cell.strip() for cell in line.split(",", len(FIELDS) - 1)]
    if len(cells) != len(FIELDS) or not _UUID.fullmatch(cells[0]):
        return None
    return cells[0], cells[1], cells[2], cells[3]
