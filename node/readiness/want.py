"""What the step `ready` wants: a service, its ranks, and how long they may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.host.typed_json import OMITTED
from node.readiness.probe import Task


@dataclass(frozen=True)
class WantedRank:
    """A rank and its node; `container` or `unit`, by runtime."""

    rank: int
    node: str
    management_address: str
    container: str | None = field(default=None, metadata=OMITTED)
    unit: str | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class Want:
    """`url`: the API's public address. `watch_port`: where the workers' watches listen. `checked`:
    {step: {"owner", "run"}} of what it makes sure of."""

    service: str
    token: str
    engine: str
    runtime: str
    members: tuple[WantedRank, ...]
    url: str
    watch_port: int
    served_name: str
    ready_timeout_s: float
    silence_timeout_s: float
    key_file: str | None
    over_rdma: bool
    checked: Mapping[str, Mapping[str, object]]
    task: Task = "generate"
