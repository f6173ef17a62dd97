"""One look at all that a node measures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from node.facts.reading import FactReader, UnreadableFact
from node.facts.values import parse_decimal
from node.host.paths import MODELS
from node.host.system import System
from node.telemetry import events, gpu, links, memory
from node.telemetry.background import BackgroundReading
from node.telemetry.measure import Figure, Unread, read_guarded
from node.telemetry.node_telemetry import (
    DiskTelemetry,
    GpuTelemetry,
    KernelEvents,
    NodeTelemetry,
)

NOT_ASKED = Unread("not asked for")
NO_EVENTS = KernelEvents(NOT_ASKED, NOT_ASKED)
BUDGET_S = 4.0
DISK_LIMIT_S = 1.0
DISKS = {"models": MODELS, "docker": "/var/lib/docker", "root": "/"}
"""What each directory is for, and where it lies unless the caller says otherwise."""


@dataclass(frozen=True)
class Sources:
    """How the slower parts are read; the collector has ways that cost less when repeated."""

    gpus: Callable[[], tuple[GpuTelemetry, ...] | Unread]
    events: Callable[[], KernelEvents]
    disks: Mapping[str, BackgroundReading[DiskTelemetry]]


def read(
    system: System,
    disks: Mapping[str, str] = DISKS,
    budget_s: float = BUDGET_S,
    with_events: bool = True,
) -> NodeTelemetry:
    """Never raises for what the machine does; commands end with the budget.

    Kernel events cost a search of the journal: who looks every second leaves them out.
    """
    reader = FactReader(system, time.monotonic() + budget_s)
    sources = Sources(
        gpus=lambda: read_guarded(lambda: gpu.read(reader)),
        events=(lambda: events.read(reader)) if with_events else (lambda: NO_EVENTS),
        disks=build_disk_readings(reader, disks),
    )
    return read_sources(reader, sources)


def read_sources(reader: FactReader, sources: Sources) -> NodeTelemetry:
    return NodeTelemetry(
        unix_time_s=time.time(),
        uptime_s=read_guarded(lambda: read_uptime(reader)),
        gpus=sources.gpus(),
        memory=read_guarded(lambda: memory.read(reader)),
        links=read_guarded(lambda: links.read(reader)),
        disks={purpose: reading.get() for purpose, reading in sources.disks.items()},
        events=sources.events(),
    )


def build_disk_readings(
    reader: FactReader, disks: Mapping[str, str]
) -> dict[str, BackgroundReading[DiskTelemetry]]:
    def build(directory: str) -> BackgroundReading[DiskTelemetry]:
        return BackgroundReading(lambda: read_disk(reader, directory), DISK_LIMIT_S)

    return {purpose: build(directory) for purpose, directory in disks.items()}


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
