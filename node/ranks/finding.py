"""Find the ranks of services, whatever runs them, and read what they print and hold."""

from __future__ import annotations

from dataclasses import replace

from node.host.docker_query import DockerUnknown
from node.host.system import System
from node.ranks import containers, memory_kills, swarm_services, units
from node.ranks.rank import UNIT, LogLine, NodeRanks, Rank


def find_local_ranks(system: System, service: str | None = None) -> NodeRanks:
    """The containers and units of a service, or of any, on this node."""
    ranks, unknown = _list_units(system, service), None
    try:
        ranks = [*containers.list_containers(system, service), *ranks]
    except DockerUnknown as error:
        unknown = str(error)
    return NodeRanks(tuple(note_memory_kill(system, rank) for rank in ranks), unknown)


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
    is_unit = rank.kind == UNIT
    current = (
        units.refresh_unit(system, rank) if is_unit else containers.find_container(system, rank.id)
    )
    return note_memory_kill(system, current) if current else None


def note_memory_kill(system: System, rank: Rank) -> Rank:
    """An engine that ended after earlyoom had sent its signal was ended by it."""
    if not rank.has_ended or not rank.started_s:
        return rank
    kills = [kill for kill in memory_kills.read_kills(system) if kill.at_unix_s >= rank.started_s]
    if not kills:
        return rank
    return replace(rank, killed_for_memory=True, memory_kill=kills[-1].format_kill())


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
