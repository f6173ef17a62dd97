"""The state of a rack as it is shown. A figure is a value, None where there is none to have, or
Unread with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Literal

from pydantic.alias_generators import to_camel

from node.ranks.rank import State
from node.readings.measure import Figure, Unread
from node.supervision.state import Phase

ServiceState = Phase | Literal["unsupervised", "absent"]
"""`unsupervised`: ranks are there, but no supervisor runs. `absent`: no rank is there."""

RankState = State | Literal["absent"]
CableState = Literal["up", "partial", "down", "away"]
"""`partial`: only some halves are up. `away`: a node at its end is declared off."""


@dataclass(frozen=True)
class RankStatus:
    """`ending`: how it ended, where it has."""

    rank: int
    node: str
    state: RankState | Unread
    ending: str | None = None

    @property
    def is_there(self) -> bool:
        return self.state not in ("absent", "ended") and not isinstance(self.state, Unread)


@dataclass(frozen=True)
class FailureStatus:
    """Why the service was restarted last."""

    cause: str
    rank: int | None
    node: str
    at_unix_s: float


@dataclass(frozen=True)
class ServiceStatus:
    """`node` and `port`: where the API listens. `detail`: why the state is what it is. `age_s`: how
    long it has been so. `cache_use` is a share from 0 to 1."""

    name: str
    engine: str
    runtime: str
    node: str
    port: int
    ranks: tuple[RankStatus, ...]
    state: ServiceState | Unread = "absent"
    detail: str = ""
    age_s: Figure = None
    restarts: int | Unread | None = None
    last_failure: FailureStatus | Unread | None = None
    requests_running: Figure = None
    requests_waiting: Figure = None
    tokens_per_s: Figure = None
    last_token_age_s: Figure = None
    cache_use: Figure = None

    @property
    def is_serving(self) -> bool:
        return self.state == "serving"

    @property
    def running_ranks(self) -> int:
        return sum(rank.state == "running" for rank in self.ranks)


@dataclass(frozen=True)
class LinkStatus:
    """One half of a QSFP port; port and half are None where the interface's name does not tell."""

    interface: str
    port: int | None
    half: str | None
    is_up: bool | Unread | None
    speed_gbps: Figure


@dataclass(frozen=True)
class NodeStatus:
    """`contact`: whether the node answers, or the reason why not. `away`: declared off.

    `clock_held_by` are the reasons that hold the GPU's clock down, as nvidia-smi names them.
    """

    name: str
    host: str
    is_head: bool
    is_away: bool
    contact: Literal["answers"] | Unread | None
    memory_total_gib: Figure
    memory_available_gib: Figure
    swap_used_gib: Figure
    gpu_use_percent: Figure
    gpu_power_w: Figure
    gpu_temperature_c: Figure
    gpu_clock_mhz: Figure
    gpu_clock_max_mhz: Figure
    clock_held_by: tuple[str, ...] | Unread | None
    disk_free_gib: Figure
    links: tuple[LinkStatus, ...] | Unread | None

    @property
    def memory_used_gib(self) -> Figure:
        total, available = self.memory_total_gib, self.memory_available_gib
        if isinstance(total, Unread) or isinstance(available, Unread):
            return total if isinstance(total, Unread) else available
        return None if total is None or available is None else total - available


@dataclass(frozen=True)
class CableStatus:
    """`ends` are nodes; a cable into the switch has one. `speed_gbps` as the link says;
    `measured_gbps` as `doctor --bandwidth` found it last."""

    name: str
    ends: tuple[str, ...]
    state: CableState | Unread
    speed_gbps: Figure
    measured_gbps: Figure = None


@dataclass(frozen=True)
class RackStatus:
    """`stack` is "project/stack"."""

    stack: str
    unix_time_s: float
    topology: str
    services: tuple[ServiceStatus, ...]
    nodes: tuple[NodeStatus, ...]
    cables: tuple[CableStatus, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether every service serves and every node that is not away answers."""
        nodes = (node for node in self.nodes if not node.is_away)
        return all(service.is_serving for service in self.services) and all(
            node.contact == "answers" for node in nodes
        )

    def to_json(self) -> Mapping[str, object]:
        """Keys in camelCase. An unread figure is null, and its reason stands under `unread`."""
        return {"healthy": self.is_healthy, **_build_object(self)}


def _build_object(value: object) -> dict[str, object]:
    members = {to_camel(name): member for name, member in _list_members(value)}
    unread = {name: member.why for name, member in members.items() if isinstance(member, Unread)}
    plain = {name: _to_json(member) for name, member in members.items()}
    return {**plain, "unread": unread} if unread else plain


def _to_json(value: object) -> object:
    if isinstance(value, Unread):
        return None
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return _build_object(value) if is_dataclass(value) else value


def _list_members(value: object) -> Iterator[tuple[str, object]]:
    """None of what is no dataclass."""
    if is_dataclass(value):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))


def list_reasons(status: RackStatus) -> tuple[str, ...]:
    """Why figures are unread, each reason once: `spark-2, qwen: no answer for 6 s`.

    Nothing is expected of a node that is away.
    """
    names: dict[str, dict[str, None]] = {}
    present = (node for node in status.nodes if not node.is_away)
    items: tuple[NodeStatus | ServiceStatus, ...] = (*present, *status.services)
    for item in items:
        for why in _find_reasons(item):
            names.setdefault(why, {})[item.name] = None
    return tuple(f"{', '.join(concerned)}: {why}" for why, concerned in names.items())


def _find_reasons(value: object) -> Iterator[str]:
    if isinstance(value, Unread):
        yield value.why
        return
    items = value if isinstance(value, tuple) else (member for _, member in _list_members(value))
    for item in items:
        yield from _find_reasons(item)
