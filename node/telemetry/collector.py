"""Writes a node's metrics for node_exporter's textfile collector, each time as a whole.

The file lies in a folder that systemd makes with the unit and removes with it: where the collector
ended, no old value stays; where it hangs, node_textfile_mtime_seconds tells.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from node.errors import StepError
from node.facts.reading import FactReader
from node.host.paths import TELEMETRY_CONFIG, TELEMETRY_FOLDER
from node.host.system import System
from node.host.typed_json import ShapeError, parse
from node.supervision.report import read_reports
from node.telemetry import events
from node.telemetry.exposition import render
from node.telemetry.families import build_families
from node.telemetry.gpu_loop import GpuLoop
from node.telemetry.node_telemetry import KernelEvents
from node.telemetry.read import Sources, build_disk_readings, read_sources
from node.telemetry.service_families import build_service_families

TEXTFILE = f"{TELEMETRY_FOLDER}/node.prom"
JOURNAL_INTERVAL_S = 60.0
COMMAND_LIMIT_S = 10.0


@dataclass(frozen=True)
class CollectorConfig:
    """`links`: interfaces with fabric addresses. `disks`: directories by what they are for."""

    interval_s: int
    links: tuple[str, ...]
    disks: Mapping[str, str]


def read_config(system: System) -> CollectorConfig:
    """Raises StepError."""
    text = system.read(TELEMETRY_CONFIG)
    if text is None:
        raise StepError(f"{TELEMETRY_CONFIG} is missing; `pulumi up` writes it.")
    try:
        return parse(CollectorConfig, json.loads(text), "config")
    except (ShapeError, ValueError) as error:
        raise StepError(f"{TELEMETRY_CONFIG}: {error}") from None


class Collector:
    """What is kept from one round to the next: the GPU loop, hanging disks, the last events."""

    def __init__(self, system: System, config: CollectorConfig) -> None:
        self._system, self._config = system, config
        self._gpu_loop = GpuLoop(system, config.interval_s)
        self._disks = build_disk_readings(self._build_reader(), config.disks)
        self._events: KernelEvents | None = None
        self._events_read_s = 0.0

    def collect(self) -> str:
        """One round: the text that was written."""
        sources = Sources(self._gpu_loop.read, self._read_events, self._disks)
        telemetry = read_sources(self._build_reader(), sources)
        text = render(
            [
                *build_families(telemetry, self._config.links),
                *build_service_families(list(read_reports(self._system).values())),
            ]
        )
        self._system.write(TEXTFILE, text, 0o644)
        return text

    def end(self) -> None:
        self._gpu_loop.end()

    def _build_reader(self) -> FactReader:
        return FactReader(self._system, time.monotonic() + COMMAND_LIMIT_S)

    def _read_events(self) -> KernelEvents:
        """The journal is asked once a minute: each time costs a process."""
        now_s = time.monotonic()
        if self._events is None or now_s - self._events_read_s >= JOURNAL_INTERVAL_S:
            self._events, self._events_read_s = events.read(self._build_reader()), now_s
        return self._events
