"""Stop ranks, and remove what is left of them; what would start them again ends before them.

One grace for all: a rank keeps nothing on the disk that a longer end would save, what it leaves in
shared memory is removed here, and a start that has failed must be over within five seconds, the
time in which Docker or systemd takes a killed process down included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from node.host.system import System
from node.ranks import containers, shared_memory, supervisors, swarm_services, units
from node.ranks.finding import find_local_ranks, find_swarm_ranks
from node.ranks.rank import UNIT, Rank

GRACE_S = 2


class ServiceObject(Protocol):
    """A rank, or one of its files in the Swarm."""

    @property
    def kind(self) -> str: ...

    @property
    def service(self) -> str: ...

    @property
    def token(self) -> str: ...

    @property
    def name(self) -> str: ...


Selects = Callable[[ServiceObject], bool]
Selected = TypeVar("Selected", bound=ServiceObject)


def stop_rank(system: System, rank: Rank) -> None:
    """Gone when this returns; its log stays. Raises StepError."""
    if rank.kind == UNIT:
        units.stop_unit(system, rank, GRACE_S)
    else:
        containers.stop_container(system, rank, GRACE_S)


def stop_ranks(system: System, selects: Selects) -> list[str]:
    """Stop these on this node; their logs stay. Raises StepError.

    Where Docker does not answer, what it runs cannot be stopped, which a line says.
    """
    ended = _end_supervisors(system, selects)
    local = find_local_ranks(system)
    ranks = [rank for rank in _select(local.ranks, selects) if _may_run(rank)]
    for rank in ranks:
        stop_rank(system, rank)
    lines = [*ended, *(f"{rank.kind} {rank.name}: stopped" for rank in ranks)]
    return [*lines, f"{local.unknown}: containers are left as they are"] if local.unknown else lines


def remove_ranks(system: System, selects: Selects) -> list[str]:
    """Take these away, a line for each, and what they left in shared memory.

    Their supervisors first, which would start them again; then Swarm services, on a manager, so
    that no task of theirs is started any more. Raises StepError, also where Docker does not answer:
    what is unknown is not gone.
    """
    find_local_ranks(system).require_known()
    ended = _end_supervisors(system, selects)
    messages = _remove_found(system, selects)
    # What dockerd was still at work on for a supervisor that was killed.
    return [*ended, *messages, *(_remove_found(system, selects) if ended else [])]


def _end_supervisors(system: System, selects: Selects) -> list[str]:
    chosen = _select(supervisors.list_supervisors(system), selects)
    return [
        line
        for supervisor in chosen
        for line in supervisors.end_supervisor(system, supervisor.service)
    ]


def _remove_found(system: System, selects: Selects) -> list[str]:
    services = _select(find_swarm_ranks(system).require_known(), selects)
    for service in services:
        swarm_services.remove_service(system, service)
    ranks = _select(find_local_ranks(system).require_known(), selects)
    for rank in ranks:
        _remove_rank(system, rank)
    started = [rank.started_s for rank in ranks if rank.started_s]
    if started:
        shared_memory.free(system, min(started))
    files = _select(swarm_services.list_files(system), selects)
    for file in files:
        swarm_services.remove_file(system, file)
    removed: list[ServiceObject] = [*services, *ranks, *files]
    return [f"{item.kind} {item.name}: removed" for item in removed]


def _remove_rank(system: System, rank: Rank) -> None:
    if _may_run(rank):
        stop_rank(system, rank)
    if rank.kind == UNIT:
        units.remove_unit(system, rank)
    else:
        containers.remove_container(system, rank)


def _may_run(rank: Rank) -> bool:
    return rank.is_started and not rank.has_ended


def _select(objects: Iterable[Selected], selects: Selects) -> list[Selected]:
    return [item for item in objects if selects(item)]
