"""The role of a Swarm's head: it holds the tasks of a service's ranks at none or one."""

from __future__ import annotations

from dataclasses import dataclass

from node.errors import StepError
from node.host.docker_query import DockerUnknown
from node.host.system import System
from node.ranks import swarm_services
from node.ranks.rank import Rank
from node.supervision.messages import Order
from node.supervision.target import SupervisionTarget


@dataclass(frozen=True)
class SwarmSight:
    """`scaled`: the ranks that have a task, or are to have one; None where the Swarm does not
    answer. `gone`: those without a Swarm service. `problem`: what could not be set."""

    scaled: tuple[int, ...] | None = None
    gone: tuple[int, ...] = ()
    problem: str | None = None


def hold_scale(system: System, target: SupervisionTarget, order: Order | None) -> SwarmSight:
    """Set what the order says, and see what there is."""
    try:
        services = _list_services(system, target)
        problem = _set_replicas(system, services, order) if order else None
        held = swarm_services.list_scaled(system)
    except DockerUnknown as error:
        return SwarmSight(problem=str(error))
    ranks = {entry.rank for entry in target.ranks}
    scaled = sorted(rank for rank, service in services.items() if service.id in held)
    return SwarmSight(tuple(scaled), tuple(sorted(ranks - set(services))), problem)


def _list_services(system: System, target: SupervisionTarget) -> dict[int, Rank]:
    return {
        service.rank: service
        for service in swarm_services.list_services(system)
        if service.service == target.service
        and service.token == target.token
        and service.rank is not None
    }


def _set_replicas(system: System, services: dict[int, Rank], order: Order) -> str | None:
    wanted = {**dict.fromkeys(order.up, 1), **dict.fromkeys(order.down, 0)}
    for rank, replicas in sorted(wanted.items()):
        if rank in services:
            try:
                swarm_services.scale_service(system, services[rank].id, replicas)
            except DockerUnknown:
                raise
            except StepError as error:
                return str(error)
    return None
