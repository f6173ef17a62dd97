"""`status [REQUEST]`: ranks, supervisors and telemetry of this node, one JSON document a line.

REQUEST is JSON: {"interval_s", "telemetry_pause_s", "model_directory", "budget_s"}, each key
optional. With an interval documents are printed until nobody reads any more. The first is there as
soon as all is read, or once the budget is over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from node.errors import StepError
from node.host.output import is_unread
from node.host.paths import MODELS
from node.host.system import System
from node.host.typed_json import parse, to_json
from node.network.bandwidth import read_measured_gbps
from node.ranks.finding import find_local_ranks
from node.ranks.rank import NodeRanks
from node.readings.background import BackgroundReading
from node.readings.measure import Unread
from node.supervision.report import SupervisionReport, read_reports
from node.telemetry.node_telemetry import NodeTelemetry
from node.telemetry.read import DISKS
from node.telemetry.read import read as read_telemetry

BUDGET_S = 4.0
STALE_S = 10.0
"""What was not read anew for so long is not known."""

TELEMETRY_PAUSE_S = 2.0
"""A process of nvidia-smi each time."""


@dataclass(frozen=True)
class NodeDocument:
    """What this node says of itself at `unix_time_s`. `measured_gbps`: by cable, the last time."""

    unix_time_s: float
    ranks: NodeRanks | Unread
    supervision: Mapping[str, SupervisionReport] | Unread
    telemetry: NodeTelemetry | Unread
    measured_gbps: Mapping[str, float] | Unread = field(default_factory=dict)


@dataclass(frozen=True)
class StatusRequest:
    interval_s: float | None = None
    telemetry_pause_s: float = TELEMETRY_PAUSE_S
    model_directory: str = MODELS
    budget_s: float = BUDGET_S


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Prints as it goes. Raises StepError."""
    request = parse_request(arguments)
    readings = build_readings(system, request)
    print_document(readings, request.budget_s)
    while request.interval_s is not None and not is_unread():
        time.sleep(request.interval_s)
        print_document(readings, request.interval_s)
    return []


def parse_request(arguments: Sequence[str]) -> StatusRequest:
    """Raises StepError."""
    try:
        return parse(StatusRequest, json.loads(arguments[0]) if arguments else {}, "request")
    except ValueError as error:
        raise StepError(f"`status` needs a request in JSON: {error}.") from None


def build_readings(system: System, request: StatusRequest) -> dict[str, BackgroundReading[object]]:
    """Each in a thread of its own: a command that hangs must not keep the others from being
    shown."""
    disks = {**DISKS, "models": request.model_directory}
    telemetry = partial(read_telemetry, system, disks, request.budget_s)
    return {
        "ranks": BackgroundReading(partial(find_local_ranks, system), keep_s=STALE_S),
        "supervision": BackgroundReading(partial(read_reports, system), keep_s=STALE_S),
        "telemetry": BackgroundReading(telemetry, request.telemetry_pause_s, STALE_S),
        "measured_gbps": BackgroundReading(partial(read_measured_gbps, system), keep_s=STALE_S),
    }


def print_document(readings: Mapping[str, BackgroundReading[object]], limit_s: float) -> None:
    """All are read at once."""
    deadline_s = time.monotonic() + limit_s
    for reading in readings.values():
        reading.start()
    parts = {
        name: to_json(reading.get(deadline_s - time.monotonic()))
        for name, reading in readings.items()
    }
    print(json.dumps({"unix_time_s": time.time(), **parts}), flush=True)


def parse_document(text: str) -> NodeDocument:
    """Raises ShapeError or another ValueError."""
    return parse(NodeDocument, json.loads(text), "document")
