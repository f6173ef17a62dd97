"""One look at all that a node measures, for a verb that answers once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from node.facts.reading import FactReader, UnreadableFact
from node.facts.values import parse_decimal
from node.host.paths import MODELS
from node.host.system import System
from node.telemetry import events, gpu, links, memory
from node.telemetry.measure import Figure, read_guarded
from node.telemetry.node_telemetry import DiskTelemetry, NodeTelemetry

BUDGET_S = 4.0
DISKS = {"models": MODELS, "docker": "/var/lib/docker", "root": "/"}
"""What each directory is for, and where it lies unless the caller says otherwise."""


def read(
    system: System, disks: Mapping[str, str] = DISKS, budget_s: float = BUDGET_S
) -> NodeTelemetry:
    """Never raises for what the machine does; commands end with the budget."""
    reader = FactReader(system, time.monotonic() + budget_s)
    return NodeTelemetry(
        unix_time_s=time.time(),
        uptime_s=read_guarded(lambda: read_uptime(reader)),
        gpus=read_guarded(lambda: gpu.read(reader)),
        memory=read_guarded(lambda: memory.read(reader)),
        links=read_guarded(lambda: links.read(reader)),
        disks={
            purpose: read_guarded(lambda path=path: read_disk(reader, path))  # type: ignore[misc]
            for purpose, path in disks.items()
        },
        events=events.read(reader),
    )


def read_disk(reader: FactReader, directory: str) -> DiskTelemetry:
    usage = shutil.disk_usage(_find_parent(reader.get_path(directory)))
    return DiskTelemetry(directory, total_bytes=usage.total, free_bytes=usage.free)


def _find_parent(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def read_uptime(reader: FactReader) -> Figure:
    cells = reader.read_file("/proc/uptime").split()
    uptime_s = parse_decimal(cells[0]) if cells else None
    if uptime_s is None:
        raise UnreadableFact("/proc/uptime: no number")
    return uptime_s
