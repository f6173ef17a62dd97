"""Previous ranks stopped: whatever of an engine is on this node ends before a rank starts.

The token names one run of the whole service, so a new one means that every rank ends and starts
again. Where a node has a rank, those of other services end too, but for its neighbours: services
that are declared to run beside it. What bears the wanted token stays, so that the step may be
applied again under a service that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from node.changes import members
from node.host.system import System
from node.host.typed_json import OMITTED
from node.ranks import capacity
from node.ranks.capacity import PortDemand
from node.ranks.finding import find_ranks
from node.ranks.rank import CONTAINER, UNIT, Rank
from node.ranks.stopping import ServiceObject, remove_ranks
from node.rollback.kept_launch import drop_kept, read_kept
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec


@dataclass(frozen=True)
class Want:
    """`rank` is null on a manager that only ends the Swarm's part. `launch` sums up what the rank
    is started with, for the control side. `neighbours` are the services that stay beside it.
    `on_failure`: null where the launch that is ended is started again if the new one fails."""

    service: str
    token: str
    rank: int | None
    ports: tuple[PortDemand, ...]
    launch: Mapping[str, object] | None
    neighbours: tuple[str, ...] | None = field(default=None, metadata=OMITTED)
    on_failure: Literal["stay"] | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class ObservedRank:
    """One rank, or what the Swarm has of it (node.ranks.rank)."""

    kind: str
    name: str
    rank: int | None
    token: str
    alive: bool


@dataclass(frozen=True)
class RestoredLaunch:
    """The launch of `token`, which was started again because a newer one had failed."""

    token: str
    failure: str
    launch: Mapping[str, object]


@dataclass(frozen=True)
class Observed:
    """`members`: the ranks of the service that asks, as this node has them. `unknown`, where Docker
    does not answer: why there may be other_tokens. `restored`: null where no launch was."""

    members: tuple[ObservedRank, ...] = ()
    unknown: str | None = field(default=None, metadata=OMITTED)
    restored: RestoredLaunch | None = field(default=None, metadata=OMITTED)


def observe(system: System, request: StepRequest) -> Observed:
    if not request.service:
        return Observed()
    node_ranks = find_ranks(system, request.service)
    members = tuple(map(_describe_rank, node_ranks.ranks))
    return Observed(members, node_ranks.unknown, _find_restored(system, request.service))


def _find_restored(system: System, service: str) -> RestoredLaunch | None:
    previous = read_kept(system, service)
    if previous is None or previous.failure is None:
        return None
    return RestoredLaunch(previous.token, previous.failure, previous.launch)


def _describe_rank(rank: Rank) -> ObservedRank:
    return ObservedRank(rank.kind, rank.name, rank.rank, rank.token, rank.is_running)


def narrow(observed: Observed, want: Want) -> Want:
    """A rank of another run differs; one that is missing is the business of whoever starts it."""
    other_tokens = sorted({rank.token for rank in observed.members if rank.token != want.token})
    return replace(want, token=", ".join(other_tokens)) if other_tokens else want


def compare(have: Want, want: Want) -> list[str]:
    if have.token == want.token:
        return []
    return [f"previous ranks of service {want.service} will be stopped"]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    system = manifest.system
    find_ranks(system).require_known()
    members.record(manifest, want.service)
    if want.on_failure == "stay":
        drop_kept(system, want.service)
    messages = remove_ranks(system, lambda item: _must_stop(item, want))
    if messages:
        capacity.await_memory(system)
    ranks = find_ranks(system, want.service).require_known()
    if not any(rank.is_running for rank in ranks):
        capacity.require_ports(system, want.ports)
    return messages


def _must_stop(item: ServiceObject, want: Want) -> bool:
    """A manager sees the whole Swarm: of other services only what runs on this node is meant."""
    if item.service == want.service:
        return item.token != want.token
    if item.service in (want.neighbours or ()):
        return False
    return want.rank is not None and item.kind in (CONTAINER, UNIT)


SPEC = StepSpec(
    name="stop_previous",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    phrase="previous ranks will be stopped",
)
