"""One rank of a service: what a node, or on a manager its Swarm, has of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from node.errors import StepError
from node.host.labels import OWNER, RANK, SERVICE, TOKEN

Kind = Literal["container", "service", "unit"]
Runtime = Literal["container", "swarm", "native"]
State = Literal["created", "running", "paused", "stopping", "ended"]
CONTAINER: Kind = "container"
SWARM_SERVICE: Kind = "service"
UNIT: Kind = "unit"
RANK_LABELS = (SERVICE, RANK, TOKEN, OWNER)
SIGNALS = {134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}
"""Exit codes as shells and Docker give them: 128 and the signal's number."""


@dataclass(frozen=True)
class RankLabels:
    """What every object of a rank is labelled with. `token` names one run of the whole service."""

    service: str
    rank: int | None
    token: str
    owner: str


@dataclass(frozen=True)
class Rank:
    """A rank as it is now: a container, a systemd unit, or the Swarm service that runs it.

    `id` is this very run: a container's id, a unit's invocation, a Swarm service's id. `started_s`
    is Unix time, 0 before the start. `exit_code` is that of a run that has ended;
    `killed_for_memory`: because memory ran out, by the kernel's OOM killer or, as `memory_kill`
    says, by earlyoom. `message` is what Swarm says of its task,
    `placement_error` the same where Swarm does not start it.
    """

    kind: Kind
    runtime: Runtime
    labels: RankLabels
    name: str
    id: str
    state: State
    started_s: float = 0.0
    exit_code: int | None = None
    killed_for_memory: bool = False
    memory_kill: str | None = None
    has_terminal: bool = False
    message: str = ""
    placement_error: str | None = None

    @property
    def service(self) -> str:
        return self.labels.service

    @property
    def rank(self) -> int | None:
        return self.labels.rank

    @property
    def token(self) -> str:
        return self.labels.token

    @property
    def is_running(self) -> bool:
        return self.state == "running"

    @property
    def is_started(self) -> bool:
        return self.state != "created"

    @property
    def has_ended(self) -> bool:
        return self.state == "ended"


@dataclass(frozen=True)
class LogLine:
    """`cursor` is where to go on reading."""

    cursor: str
    text: str


@dataclass(frozen=True)
class NodeRanks:
    """The ranks that were found. `unknown`: why there may be others, null where these are all."""

    ranks: tuple[Rank, ...]
    unknown: str | None = None

    def require_known(self) -> tuple[Rank, ...]:
        """Raises StepError where Docker did not answer."""
        if self.unknown is not None:
            raise StepError(f"{self.unknown}; which ranks run on this node is unknown.")
        return self.ranks


def parse_labels(labels: Mapping[str, object]) -> RankLabels | None:
    """None for what belongs to no service."""
    service, rank, token, owner = (str(labels.get(name) or "") for name in RANK_LABELS)
    if not service:
        return None
    return RankLabels(service, int(rank) if rank.isdigit() else None, token, owner)


def format_exit(rank: Rank) -> str:
    """
    >>> labels = RankLabels("qwen", 0, "4be1-1", "spark/demo")
    >>> format_exit(Rank("unit", "native", labels, "sparkform-qwen", "a1", "ended", exit_code=139))
    'exit code 139 (SIGSEGV)'
    """
    if rank.memory_kill:
        return f"{rank.memory_kill}, as memory ran out"
    if rank.killed_for_memory:
        return "killed by the kernel, which was out of memory"
    signal = SIGNALS.get(rank.exit_code or 0)
    return f"exit code {rank.exit_code}" + (f" ({signal})" if signal else "")
