"""Find the ranks of services, whatever runs them, and read what they print and hold."""

from __future__ import annotations

from node.host.docker_query import DockerUnknown
from node.host.system import System
from node.ranks import containers, swarm_services, units
from node.ranks.rank import UNIT, LogLine, NodeRanks, Rank


def find_local_ranks(system: System, service: str | None = None) -> NodeRanks:
    """The containers and units of a service, or of any, on this node."""
    ranks, unknown = _list_units(system, service), None
    try:
        ranks = [*containers.list_containers(system, service), *ranks]
    except DockerUnknown as error:
        unknown = str(error)
    return NodeRanks(tuple(ranks), unknown)


def find_ranks(system: System, service: str | None = None) -> NodeRanks:
    """Those on this node and, on a manager, the Swarm's services."""
    local = find_local_ranks(system, service)
    swarm = find_swarm_ranks(system, service)
    return NodeRanks((*local.ranks, *swarm.ranks), local.unknown or swarm.unknown)


def find_swarm_ranks(system: System, service: str | None = None) -> NodeRanks:
    """The Swarm's services, on a manager; a worker knows of none."""
    try:
        ranks = swarm_services.list_services(system)
    except DockerUnknown as error:
        return NodeRanks((), str(error))
    return NodeRanks(tuple(rank for rank in ranks if service in (None, rank.service)))


def refresh_rank(system: System, rank: Rank) -> Rank | None:
    """The same run as it is now; None where it is gone or another has taken its place.

    Raises DockerUnknown.
    """
    if rank.kind == UNIT:
        return units.refresh_unit(system, rank)
    return containers.find_container(system, rank.id)


def read_log(system: System, rank: Rank, cursor: str = "") -> list[LogLine]:
    """What it has printed after `cursor`."""
    if rank.kind == UNIT:
        return units.read_log(system, rank, cursor)
    return containers.read_log(system, rank, cursor)


def read_memory_bytes(system: System, rank: Rank) -> int | None:
    """What its control group holds."""
    if rank.kind == UNIT:
        return units.read_memory_bytes(system, rank)
    return containers.read_memory_bytes(system, rank)


def _list_units(system: System, service: str | None) -> list[Rank]:
    return [rank for rank in units.list_units(system) if service in (None, rank.service)]
