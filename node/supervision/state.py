"""What a supervisor must know after its own end: written before each order, read at its start."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

from node.host.system import System
from node.host.typed_json import ShapeError, parse, to_json
from node.supervision.moment import Moment
from node.supervision.paths import get_state_path

Phase = Literal[
    "starting",
    "serving",
    "degraded",
    "suspect",
    "recovering",
    "blocked",
    "gave-up",
    "needs-up",
    "stopped",
    "paused",
]
SERVING: tuple[Phase, ...] = ("serving", "degraded", "suspect")
"""Phases in which tokens come."""
"""`starting`: until the first answer. `degraded`: it answers, and something is wrong or not known.
`suspect`: a sign of failure, which a canary checks. `recovering`: all ranks are stopped and started
again. `blocked`: the same, held up by what the node lacks. `gave-up`: too many restarts.
`needs-up`: a rank's container or unit is gone. `stopped`: failed, and policy none. `paused`: ended
because somebody asked for it."""

Stage = Literal["stopping", "launching", "loading", "settled"]
"""Of a start: until all have confirmed that nothing runs; until all were started; until the first
answer. It never goes back within an epoch."""

Turn = Literal["none", "next", "loading"]
"""Of a service that shares nodes with others: whether it loads, or is about to start."""


@dataclass(frozen=True)
class RankFailure:
    """Why the group was restarted last. `at_unix_s` is for people only."""

    cause: str
    rank: int | None
    node: str
    at_unix_s: float


@dataclass(frozen=True)
class RecordedRun:
    """The rank that was started in `epoch`, at `started`. `run_id`: None until it is there."""

    epoch: int
    run_id: str | None
    started: Moment


@dataclass(frozen=True)
class MemberRecord:
    """What a node with a rank knows: the highest epoch that it was ordered, the boot in which it
    confirmed for that epoch that nothing runs, and the run that it started last."""

    epoch: int = 1
    stopped_boot_id: str | None = None
    run: RecordedRun | None = None


@dataclass(frozen=True)
class BootRecord:
    """`is_closed`: the supervisor ended in good order. `unclean_boots`: boots without that, before
    the service had served for ten minutes."""

    boot_id: str = ""
    is_closed: bool = True
    unclean_boots: int = 0


@dataclass(frozen=True)
class RestartCount:
    """Restarts since the window began: `excused` are those by a fault of the node's, which lengthen
    the wait alone. Over a boot the count stays and the window begins anew."""

    number: int = 0
    excused: int = 0
    window: Moment | None = None


@dataclass(frozen=True)
class CoordinatorRecord:
    """What only the node of rank 0 knows. `since`: when the phase began; `served_since`: when the
    first answer came. `is_counted`: whether this restart counts; `starts_after` holds the group
    back until then. `lacked`: when a node last lacked what a rank needs."""

    epoch: int = 1
    phase: Phase = "starting"
    stage: Stage = "loading"
    since: Moment | None = None
    since_unix_s: float = 0.0
    served_since: Moment | None = None
    lacked: Moment | None = None
    reason: str = ""
    restarts: RestartCount = field(default_factory=RestartCount)
    is_counted: bool = False
    starts_after: Moment | None = None
    failure: RankFailure | None = None


@dataclass(frozen=True)
class LearnedValues:
    """What the node had while the service served: the GPUs' power while tokens came, the GPUs, the
    RDMA ports that were up. `available_kib`: memory before the first restart."""

    power_w: float | None = None
    gpus: tuple[str, ...] = ()
    rdma_ports: tuple[str, ...] = ()
    available_kib: int | None = None


@dataclass(frozen=True)
class SupervisionState:
    """Of one service and token on one node."""

    token: str
    member: MemberRecord = field(default_factory=MemberRecord)
    boot: BootRecord = field(default_factory=BootRecord)
    coordinator: CoordinatorRecord | None = None
    learned: LearnedValues = field(default_factory=LearnedValues)

    @property
    def epoch(self) -> int:
        return self.coordinator.epoch if self.coordinator else self.member.epoch


def read_state(system: System, service: str) -> SupervisionState | None:
    """None where there is none, or a damaged one: then nothing is known of what was started."""
    text = system.read(get_state_path(service))
    if text is None:
        return None
    try:
        return parse(SupervisionState, json.loads(text), "state")
    except (ShapeError, ValueError):
        return None


def write_state(system: System, service: str, state: SupervisionState) -> None:
    """On the disk when this returns. Raises OSError, as where the disk is full."""
    system.write(get_state_path(service), json.dumps(to_json(state)) + "\n", 0o600)
