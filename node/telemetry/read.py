"""One look at all that a node measures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from node.facts.reading import FactReader
from node.host.paths import MODELS
from node.host.system import System
from node.readings import gpu
from node.readings.background import BackgroundReading
from node.readings.gpu import GpuTelemetry
from node.readings.measure import read_guarded
from node.telemetry import links, memory
from node.telemetry.node_telemetry import DiskTelemetry, NodeTelemetry

BUDGET_S = 4.0
DISK_LIMIT_S = 1.0
DISKS = {"models": MODELS, "docker": "/var/lib/docker", "root": "/"}
"""What each directory is for, and where it lies unless the caller says otherwise."""


@dataclass(frozen=True)
class Sources:
    """What may hang: the driver, and a disk on a network. `gpu_limit_s`: so long the driver is
    waited for."""

    gpus: BackgroundReading[tuple[GpuTelemetry, ...]]
    disks: Mapping[str, BackgroundReading[DiskTelemetry]]
    gpu_limit_s: float


def read(
    system: System, disks: Mapping[str, str] = DISKS, budget_s: float = BUDGET_S
) -> NodeTelemetry:
    """Never raises for what the machine does; commands end with the budget."""
    reader = FactReader(system, time.monotonic() + budget_s)
    gpus = BackgroundReading(lambda: gpu.read(reader))
    return read_sources(reader, Sources(gpus, build_disk_readings(system, disks), budget_s))


def read_sources(reader: FactReader, sources: Sources) -> NodeTelemetry:
    sources.gpus.start()
    for reading in sources.disks.values():
        reading.start()
    return NodeTelemetry(
        memory=read_guarded(lambda: memory.read(reader)),
        links=read_guarded(lambda: links.read(reader)),
        disks={purpose: reading.get(DISK_LIMIT_S) for purpose, reading in sources.disks.items()},
        gpus=sources.gpus.get(sources.gpu_limit_s),
    )


def build_disk_readings(
    system: System, disks: Mapping[str, str]
) -> dict[str, BackgroundReading[DiskTelemetry]]:
    def build(directory: str) -> BackgroundReading[DiskTelemetry]:
        return BackgroundReading(lambda: read_disk(system, directory))

    return {purpose: build(directory) for purpose, directory in disks.items()}


def read_disk(system: System, directory: str) -> DiskTelemetry:
    usage = shutil.disk_usage(_find_parent(system.path(directory)))
    return DiskTelemetry(directory, total_bytes=usage.total, free_bytes=usage.free)


def _find_parent(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
