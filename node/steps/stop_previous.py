"""Room for one rank of a service: whatever of an engine is on this node ends before it starts.

want: {"service", "token", "rank", "ports": [{"number", "address", "purpose"}], "launch"}. The token
names one run of the whole service, so a new one means that every rank ends and starts again. A node
runs one engine (it has one GPU): where it has a rank, those of other services end too; `rank` is
null on a manager that only ends the Swarm's part. What bears the wanted token stays, so that the
step may be applied again under a service that runs. `launch` sums up what the rank is started with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import members as kind
from node.host.system import System
from node.ranks import capacity
from node.ranks.finding import find_ranks
from node.ranks.rank import CONTAINER, UNIT, NodeRanks, Rank
from node.ranks.stopping import ServiceObject, remove_ranks
from node.state.manifest import Manifest

Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """`members`: the ranks of the service that asks, as this node has them. `unknown`, where
    Docker does not answer: why there may be others."""
    service = str(request.get("service", ""))
    found = find_ranks(system, service) if service else NodeRanks(())
    unknown = {} if found.unknown is None else {"unknown": found.unknown}
    return {"members": [_describe_rank(rank) for rank in found.ranks], **unknown}


def _describe_rank(rank: Rank) -> dict[str, Any]:
    return {
        "kind": rank.kind,
        "name": rank.name,
        "rank": rank.rank,
        "token": rank.token,
        "alive": rank.is_running,
    }


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
    find_ranks(system).require_known()
    kind.record(manifest, want["service"])
    messages = remove_ranks(system, lambda item: _must_stop(item, want))
    if messages:
        capacity.await_memory(system)
    ranks = find_ranks(system, want["service"]).require_known()
    if not any(rank.is_running for rank in ranks):
        capacity.require_ports(system, want["ports"])
    return messages


def _must_stop(item: ServiceObject, want: Json) -> bool:
    """A manager sees the whole Swarm: of other services only what runs on this node is meant."""
    if item.service == want["service"]:
        return bool(item.token != want["token"])
    return want["rank"] is not None and item.kind in (CONTAINER, UNIT)
