"""The GPU's figures of late, as the node's collector publishes them for the supervisors: where it
runs, they start no nvidia-smi of their own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from node.host.paths import TELEMETRY_FOLDER
from node.host.system import System
from node.host.typed_json import ShapeError, parse, to_json
from node.readings.gpu import GpuTelemetry

PATH = f"{TELEMETRY_FOLDER}/gpu.json"
"""Gone with the collector, and with the boot."""


@dataclass(frozen=True)
class GpuReading:
    """`boot_s`: CLOCK_BOOTTIME, when it was read."""

    boot_s: float
    gpus: tuple[GpuTelemetry, ...]

    @property
    def age_s(self) -> float:
        return read_boot_time_s() - self.boot_s


def read_boot_time_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def publish(system: System, gpus: tuple[GpuTelemetry, ...]) -> None:
    """Raises OSError."""
    system.write(PATH, json.dumps(to_json(GpuReading(read_boot_time_s(), gpus))) + "\n")


def read_published(system: System) -> GpuReading | None:
    """None where no collector runs, or what it wrote is of another form."""
    try:
        text = system.read(PATH)
        return parse(GpuReading, json.loads(text), "reading") if text else None
    except (OSError, ShapeError, ValueError):
        return None
