"""What is supervised: a service, its ranks, and the limits by which they are judged."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from node.errors import StepError
from node.host.system import System
from node.host.typed_json import OMITTED, ShapeError, parse
from node.ranks.capacity import PortDemand
from node.ranks.rank import Runtime
from node.readiness.probe import Task
from node.supervision.paths import get_key_path, get_target_path

RestartPolicy = Literal["group", "none"]


@dataclass(frozen=True)
class SupervisedRank:
    """A rank and where its supervisor listens. `name`: its container, unit or Swarm service.
    `ports`: what it listens at."""

    rank: int
    node: str
    address: str
    port: int
    name: str
    ports: tuple[PortDemand, ...] = ()


@dataclass(frozen=True)
class SwarmHead:
    """The manager that scales the service; it may be no rank's node. Its supervisor listens too."""

    node: str
    address: str
    port: int


@dataclass(frozen=True)
class SupervisionLimits:
    """`stall_s` counts where the engine shows no sign that could be read; otherwise a canary is
    sent after `quiet_s` without one, and `canary_misses` of `canary_s` each are a stall."""

    ready_timeout_s: float
    silence_timeout_s: float
    stall_s: float = 600.0
    quiet_s: float = 25.0
    canary_s: float = 20.0
    canary_misses: int = 3
    max_restarts: int = 4
    restart_window_s: float = 7200.0


@dataclass(frozen=True)
class GatewayPeer:
    """The gateway, by the address that it asks from. `drain_s`: how long requests under way may
    take before the ranks are ended on purpose."""

    address: str
    drain_s: float


@dataclass(frozen=True)
class SupervisionTarget:
    """`node`: that of this supervisor. `url`: the API's public address without a path. `key_file`
    holds the API's key, on the node of rank 0. `swarm_head`: in the Swarm runtime only. `earlier`:
    the services that share a node and start before this one. `gateway`: None where clients ask the
    engine itself."""

    service: str
    token: str
    runtime: Runtime
    engine: str
    node: str
    ranks: tuple[SupervisedRank, ...]
    url: str
    served_name: str
    key_file: str | None
    over_rdma: bool
    limits: SupervisionLimits
    policy: RestartPolicy = "group"
    swarm_head: SwarmHead | None = field(default=None, metadata=OMITTED)
    earlier: tuple[str, ...] = ()
    task: Task = "generate"
    gateway: GatewayPeer | None = field(default=None, metadata=OMITTED)

    @property
    def local_rank(self) -> SupervisedRank | None:
        """None on a Swarm's head without a rank of the service."""
        return next((rank for rank in self.ranks if rank.node == self.node), None)

    @property
    def coordinator(self) -> SupervisedRank:
        return next(rank for rank in self.ranks if rank.rank == 0)

    @property
    def is_coordinator(self) -> bool:
        return self.coordinator.node == self.node

    @property
    def is_swarm_head(self) -> bool:
        return self.swarm_head is not None and self.swarm_head.node == self.node

    @property
    def own_endpoint(self) -> tuple[str, int]:
        """The address and port of this node's supervisor; its rank has the same address."""
        own = self.local_rank or self.swarm_head
        assert own is not None
        return own.address, own.port

    @property
    def api_port(self) -> int | None:
        return urlsplit(self.url).port


def read_target(system: System, service: str) -> SupervisionTarget:
    """Raises StepError where there is none, or one that cannot be read."""
    path = get_target_path(service)
    text = system.read(path)
    if text is None:
        raise StepError(f"{path} is missing; `pulumi up` writes it again.")
    try:
        target = parse(SupervisionTarget, json.loads(text), "target")
    except (ShapeError, ValueError) as error:
        raise StepError(f"{path}: {error}; `pulumi up` writes it again.") from error
    if 0 not in {rank.rank for rank in target.ranks}:
        raise StepError(f"{path}: names no rank 0; `pulumi up` writes it again.")
    return target


def read_key(system: System, service: str) -> str:
    """Raises StepError where there is none."""
    path = get_key_path(service)
    key = (system.read(path) or "").strip()
    if not key:
        raise StepError(f"{path} is missing or empty; `pulumi up` writes it again.")
    return key
