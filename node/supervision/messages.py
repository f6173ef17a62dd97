"""What supervisors tell each other: the coordinator's order, and a node's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from node.supervision.state import Phase, Turn

Wanted = Literal["run", "stop", "hold"]
MemberState = Literal["stopped", "stopping", "starting", "running", "lost", "gone", "unknown"]
"""`lost`: the run of this epoch has ended, or never came. `gone`: there is no container or unit to
start. `unknown`: Docker does not answer."""


@dataclass(frozen=True)
class Order:
    """A level, not a command: what should be in `epoch`. `up` and `down` are for a Swarm's head:
    the ranks whose services have one task, and those that have none.

    `phase`, `phase_age_s` and `detail` are for whoever looks at the node. `is_settled`: the service
    has served for ten minutes. `is_busy`: tokens come. `turn` is for services on the same node.
    """

    epoch: int
    wanted: Wanted
    phase: Phase
    phase_age_s: float | None = None
    detail: str = ""
    is_settled: bool = False
    is_busy: bool = False
    up: tuple[int, ...] = ()
    down: tuple[int, ...] = ()
    turn: Turn = "none"


@dataclass(frozen=True)
class MemberReport:
    """What a node has. `cause`: why its rank is lost. `lacks`: what it needs first (Docker, GPU,
    link, disk). `waits`: what is still coming back, such as memory.

    `suspicion` is a fatal line of the log, `lost_process` a process that is gone from a rank that
    runs, `failure` a start that cannot succeed. `silent_s`: since the rank's last progress.
    `is_power_low`: None where not known. `is_compiling`: a compiler runs in the rank. `scaled`, of
    a Swarm's head: the ranks that have a task, None where Swarm does not answer; `gone`: those
    whose Swarm service is gone.
    """

    epoch: int
    state: MemberState
    run_epoch: int = 0
    cause: str = ""
    is_rebooted: bool = False
    unclean_boots: int = 0
    lacks: str | None = None
    waits: str | None = None
    suspicion: str | None = None
    lost_process: str | None = None
    failure: str | None = None
    silent_s: float = 0.0
    is_power_low: bool | None = None
    is_compiling: bool = False
    scaled: tuple[int, ...] | None = None
    gone: tuple[int, ...] = ()
