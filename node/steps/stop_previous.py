"""Room for one rank of a service: whatever of an engine is on this node ends before it starts.

want: {"service", "token", "rank", "ports": [{"number", "address", "purpose"}], "launch"}. The token
names one run of the whole service, so a new one means that every rank ends and starts again. A node
runs one engine (it has one GPU): where it has a rank, those of other services end too; `rank` is
null on a manager that only ends the Swarm's part. What bears the wanted token stays, so that the
step may be applied again under a service that runs. `launch` sums up what the rank is started with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from node.changes import members as kind
from node.errors import StepError
from node.host.paths import DOCKER_SOCKET
from node.host.system import System
from node.ranks import capacity, member_ends, service_objects
from node.ranks.service_objects import Member
from node.state.manifest import Manifest

Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """`members`: the ranks of the service that asks, as this node has them."""
    service = str(request.get("service", ""))
    members = service_objects.of(system, service) if service else []
    return {"members": [asdict(member) for member in members]}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    """A rank of another run differs; one that is missing is the business of whoever starts it."""
    other_tokens = sorted(
        {
            member["token"]
            for member in observed.get("members", [])
            if member["token"] != want["token"]
        }
    )
    return {**want, "token": ", ".join(other_tokens)} if other_tokens else dict(want)


def compare(have: Json, want: Json) -> list[str]:
    if have["token"] == want["token"]:
        return []
    return [f"what runs of service {want['service']} will be ended first"]


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    system = manifest.system
    _require_docker(system)
    kind.record(manifest, want["service"])
    messages = member_ends.remove(system, lambda member: _must_stop(member, want))
    if messages:
        capacity.await_memory(system)
    if not any(member.alive for member in service_objects.of(system, want["service"])):
        capacity.require_ports(system, want["ports"])
    return messages


def _must_stop(member: Member, want: Json) -> bool:
    """A manager sees the whole Swarm: of other services only what runs on this node is meant."""
    if member.service == want["service"]:
        return bool(member.token != want["token"])
    return want["rank"] is not None and member.kind in (
        service_objects.CONTAINER,
        service_objects.UNIT,
    )


def _require_docker(system: System) -> None:
    """Without an answer nobody knows what runs."""
    if not system.request(DOCKER_SOCKET, "GET", "/_ping", timeout_s=30).ok:
        raise StepError("dockerd does not answer, so what runs on this node is not known.")
