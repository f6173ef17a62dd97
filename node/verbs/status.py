"""`status [REQUEST]`: ranks, supervisors and telemetry of this node, one JSON document a line.

REQUEST is JSON: {"interval_s", "telemetry_pause_s", "model_directory", "budget_s"}, each key
optional. With an interval documents are printed until nobody reads any more. The first is there as
soon as all is read, or once the budget is over.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from node.errors import StepError
from node.host.output import is_unread
from node.host.paths import MODELS
from node.host.system import System
from node.host.typed_json import parse, to_json
from node.ranks.finding import find_local_ranks
from node.ranks.rank import NodeRanks
from node.supervision.report import SupervisionReport, read_reports
from node.telemetry.measure import Unread
from node.telemetry.node_telemetry import NodeTelemetry
from node.telemetry.read import DISKS
from node.telemetry.read import read as read_telemetry

BUDGET_S = 4.0
STALE_S = 10.0
"""What was not read anew for so long is not known."""

TELEMETRY_PAUSE_S = 2.0
"""A process of nvidia-smi and one of journalctl each time."""


@dataclass(frozen=True)
class NodeDocument:
    """What this node says of itself at `unix_time_s`."""

    unix_time_s: float
    ranks: NodeRanks | Unread
    supervision: Mapping[str, SupervisionReport] | Unread
    telemetry: NodeTelemetry | Unread


@dataclass(frozen=True)
class StatusRequest:
    interval_s: float | None = None
    telemetry_pause_s: float = TELEMETRY_PAUSE_S
    model_directory: str = MODELS
    budget_s: float = BUDGET_S


@dataclass
class Reading:
    """One part of the document, read in a thread of its own: a command that hangs must not keep the
    others from being shown."""

    read: Callable[[], object]
    pause_s: float | None
    value: object = None
    read_s: float | None = None
    is_read: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self._read_once()
        while self.pause_s is not None:
            time.sleep(self.pause_s)
            self._read_once()

    def _read_once(self) -> None:
        try:
            self.value = self.read()
        except (StepError, OSError) as error:
            self.value = Unread(str(error))
        except Exception as error:
            self.value = Unread(f"failed with {type(error).__name__}")
        self.read_s = time.monotonic()
        self.is_read.set()

    def get_value(self) -> object:
        """The newest value, if it is not stale."""
        is_fresh = self.read_s is not None and time.monotonic() - self.read_s <= STALE_S
        return self.value if is_fresh else UNANSWERED


UNANSWERED = Unread("no answer in time")


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Prints as it goes. Raises StepError."""
    request = parse_request(arguments)
    readings = start_readings(system, request)
    deadline = time.monotonic() + request.budget_s
    for reading in readings.values():
        reading.is_read.wait(max(0.0, deadline - time.monotonic()))
    print_document(readings)
    while request.interval_s is not None and not is_unread():
        time.sleep(request.interval_s)
        print_document(readings)
    return []


def parse_request(arguments: Sequence[str]) -> StatusRequest:
    """Raises StepError."""
    try:
        return parse(StatusRequest, json.loads(arguments[0]) if arguments else {}, "request")
    except ValueError as error:
        raise StepError(f"`status` needs a request in JSON: {error}.") from None


def start_readings(system: System, request: StatusRequest) -> dict[str, Reading]:
    """All of them at once."""
    disks = {**DISKS, "models": request.model_directory}
    readers: dict[str, Callable[[], object]] = {
        "ranks": partial(find_local_ranks, system),
        "supervision": partial(read_reports, system),
        "telemetry": partial(read_telemetry, system, disks, request.budget_s),
    }
    readings = {
        name: Reading(read, choose_pause_s(name, request)) for name, read in readers.items()
    }
    for reading in readings.values():
        reading.start()
    return readings


def choose_pause_s(name: str, request: StatusRequest) -> float | None:
    if request.interval_s is None or name != "telemetry":
        return request.interval_s
    return max(request.interval_s, request.telemetry_pause_s)


def print_document(readings: Mapping[str, Reading]) -> None:
    parts = {name: to_json(reading.get_value()) for name, reading in readings.items()}
    print(json.dumps({"unix_time_s": time.time(), **parts}), flush=True)


def parse_document(text: str) -> NodeDocument:
    """Raises ShapeError or another ValueError."""
    return parse(NodeDocument, json.loads(text), "document")
