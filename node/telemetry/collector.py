"""Writes a node's metrics for node_exporter's textfile collector, each time as a whole.

The file lies in a folder that systemd makes with the unit and removes with it: where the collector
ended, no old value stays; where it hangs, node_textfile_mtime_seconds tells.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from node.errors import StepError
from node.facts.reading import FactReader
from node.host.paths import TELEMETRY_CONFIG, TELEMETRY_FOLDER
from node.host.system import System
from node.host.typed_json import ShapeError, parse
from node.readings import gpu
from node.readings.background import BackgroundReading
from node.readings.gpu import GpuTelemetry
from node.readings.measure import Unread, read_guarded
from node.readings.published_gpu import publish
from node.supervision.report import read_reports
from node.telemetry import certificates, events
from node.telemetry.certificates import CertificateLife
from node.telemetry.exposition import render
from node.telemetry.families import (
    build_certificate_families,
    build_event_families,
    build_families,
    build_unread_families,
    list_unread,
)
from node.telemetry.read import Sources, build_disk_readings, read_sources
from node.telemetry.service_families import build_service_families

TEXTFILE = f"{TELEMETRY_FOLDER}/node.prom"
JOURNAL_INTERVAL_S = 60.0
KEPT_S = 600.0
"""A large journal, or openssl on a busy node, may be read late: the value before it holds."""

COMMAND_LIMIT_S = 10.0
GPU_LIMIT_S = 5.0
CERTIFICATE_INTERVAL_S = 300.0


@dataclass(frozen=True)
class CollectorConfig:
    """`links`: interfaces with fabric addresses. `disks`: directories by what they are for.
    `certificates`: files by whose they are."""

    interval_s: int
    links: tuple[str, ...]
    disks: Mapping[str, str]
    certificates: Mapping[str, str] = field(default_factory=dict)


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
    """What is kept from one round to the next: readings that may hang, and the GPU's errors."""

    def __init__(self, system: System, config: CollectorConfig) -> None:
        self._system, self._config = system, config
        self._sources = Sources(
            BackgroundReading(self._read_gpus),
            build_disk_readings(system, config.disks),
            GPU_LIMIT_S,
        )
        self._journal = BackgroundReading(self._read_xid_errors, JOURNAL_INTERVAL_S, KEPT_S)
        self._certificates = {
            name: BackgroundReading(
                partial(self._read_certificate, path), CERTIFICATE_INTERVAL_S, KEPT_S
            )
            for name, path in config.certificates.items()
        }
        self._errors_before: dict[str, int] = {}
        self._errors: dict[str, int] = {}

    def collect(self) -> str:
        """One round: the text that was written."""
        self._journal.start()
        for certificate in self._certificates.values():
            certificate.start()
        telemetry = read_sources(self._build_reader(), self._sources)
        errors = self._journal.get(GPU_LIMIT_S)
        lives = {name: life.get(GPU_LIMIT_S) for name, life in self._certificates.items()}
        reports = read_guarded(lambda: list(read_reports(self._system).values()))
        parts: dict[str, object] = {"xid errors": errors, "supervision": reports}
        parts |= {f"certificate {name}": life for name, life in lives.items()}
        unread = [name for name, part in parts.items() if isinstance(part, Unread)]
        text = render(
            [
                *build_families(telemetry, self._config.links),
                *([] if isinstance(errors, Unread) else build_event_families(errors)),
                *([] if isinstance(reports, Unread) else build_service_families(reports)),
                *build_certificate_families(lives),
                *build_unread_families([*unread, *list_unread(telemetry)]),
            ]
        )
        self._system.write(TEXTFILE, text, 0o644)
        return text

    def _read_certificate(self, path: str) -> CertificateLife | None:
        return certificates.read(self._build_reader(), path)

    def _build_reader(self) -> FactReader:
        return FactReader(self._system, time.monotonic() + COMMAND_LIMIT_S)

    def _read_gpus(self) -> tuple[GpuTelemetry, ...]:
        gpus = gpu.read(self._build_reader())
        publish(self._system, gpus)
        return gpus

    def _read_xid_errors(self) -> dict[str, int]:
        """The journal is asked once a minute: each time costs a process."""
        errors = events.read_xid_errors(self._build_reader())
        self._errors = events.add_new_errors(self._errors, self._errors_before, errors)
        self._errors_before = errors
        return self._errors
