"""Previous ranks stopped: whatever of an engine is on this node ends before a rank starts.

The token names one run of the whole service, so a new one means that every rank ends and starts
again. A node runs one engine (it has one GPU): where it has a rank, those of other services end
too. What bears the wanted token stays, so that the step may be applied again under a service that
runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from node.changes import members
from node.errors import StepError
from node.host.paths import DOCKER_SOCKET
from node.host.system import System
from node.ranks import capacity, member_ends, service_objects
from node.ranks.service_objects import Member
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec


@dataclass(frozen=True)
class Port:
    """A port that the rank will listen on."""

    number: int
    address: str
    purpose: str


@dataclass(frozen=True)
class Want:
    """`rank` is null on a manager that only ends the Swarm's part. `launch` sums up what the rank
    is started with, for the control side."""

    service: str
    token: str
    rank: int | None
    ports: tuple[Port, ...]
    launch: Mapping[str, object] | None


@dataclass(frozen=True)
class ObservedRank:
    """One rank, or one of its files in the Swarm (node.ranks.service_objects)."""

    kind: str
    token: str
    rank: str
    alive: bool


@dataclass(frozen=True)
class Observed:
    """The ranks of the service that asks, as this node has them."""

    members: tuple[ObservedRank, ...] = ()


def observe(system: System, request: StepRequest) -> Observed:
    found = service_objects.of(system, request.service) if request.service else []
    return Observed(
        tuple(ObservedRank(rank.kind, rank.token, rank.rank, rank.alive) for rank in found)
    )


def narrow(observed: Observed, want: Want) -> Want:
    """A rank of another run differs; one that is missing is the business of whoever starts it."""
    others = sorted({rank.token for rank in observed.members if rank.token != want.token})
    return replace(want, token=", ".join(others)) if others else want


def compare(have: Want, want: Want) -> list[str]:
    if have.token == want.token:
        return []
    return [f"previous ranks of service {want.service} will be stopped"]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    system = manifest.system
    _require_docker(system)
    members.record(manifest, want.service)
    messages = member_ends.remove(system, lambda member: _must_stop(member, want))
    if messages:
        capacity.await_memory(system)
    if not any(member.alive for member in service_objects.of(system, want.service)):
        capacity.require_ports(system, map(asdict, want.ports))
    return messages


def _must_stop(member: Member, want: Want) -> bool:
    """A manager sees the whole Swarm: of other services only what runs on this node is meant."""
    if member.service == want.service:
        return member.token != want.token
    return want.rank is not None and member.kind in (
        service_objects.CONTAINER,
        service_objects.UNIT,
    )


def _require_docker(system: System) -> None:
    """Without an answer nobody knows what runs."""
    if not system.request(DOCKER_SOCKET, "GET", "/_ping", timeout_s=30).ok:
        raise StepError("dockerd does not answer, so what runs on this node is not known.")


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
