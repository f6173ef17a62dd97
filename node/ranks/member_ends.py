"""How members of services end: stopped with a short grace, then taken away."""

from __future__ import annotations

from collections.abc import Callable

from node.errors import StepError
from node.host.daemons import run_checked
from node.host.docker_api import get_message
from node.host.paths import DOCKER_SOCKET
from node.host.system import System
from node.ranks import service_objects, shared_memory
from node.ranks.service_objects import CONTAINER, STORED, UNIT, Member

GRACE_S = 5
# Docker kills after the grace and then takes the container down.
END_LIMIT_S = 30.0
# Docker's own end of a thing may come first: stopped already, gone, or just being removed.
ENDED_ALREADY = (304, 404, 409)
Leaves = Callable[[Member], bool]


def stop(system: System, leaves: Leaves) -> list[str]:
    """End the processes of these on this node; what they have said stays. Raises Refusal."""
    running = [one for one in _on_this_node(system) if one.alive and leaves(one)]
    for one in running:
        _stop(system, one)
    return [f"{one.kind} {one.name}: stopped" for one in running]


def remove(system: System, leaves: Leaves) -> list[str]:
    """Take these away, a line for each, and what they left in shared memory. Raises Refusal.

    Swarm services first, on a manager, so that no task of theirs is started any more.
    """
    services = [one for one in service_objects.swarm_services(system) if leaves(one)]
    for one in services:
        _send(system, "DELETE", f"/services/{one.id}")
    own = [one for one in _on_this_node(system) if leaves(one)]
    for one in own:
        _remove(system, one)
    if own:
        shared_memory.free(system, min(one.made_s for one in own))
    files = [one for one in service_objects.stored(system) if leaves(one)]
    for one in files:
        _send(system, "DELETE", f"{STORED[one.kind]}/{one.id}")
    return [f"{one.kind} {one.name}: removed" for one in [*services, *own, *files]]


def _on_this_node(system: System) -> list[Member]:
    return [*service_objects.containers(system), *service_objects.units(system)]


def _stop(system: System, member: Member) -> None:
    if member.kind == CONTAINER:
        _send(system, "POST", f"/containers/{member.id}/stop?t={GRACE_S}")
    if member.kind == UNIT:
        run_checked(system, ["systemctl", "stop", member.name], timeout_s=END_LIMIT_S)


def _remove(system: System, member: Member) -> None:
    _stop(system, member)
    if member.kind == CONTAINER:
        _send(system, "DELETE", f"/containers/{member.id}?force=true&v=true")
    if member.kind == UNIT:
        # A unit that failed stays listed until somebody has taken note of it.
        system.run(["systemctl", "reset-failed", member.name])
        service_objects.unmark(system, member.service)


def _send(system: System, method: str, path: str) -> None:
    answer = system.request(DOCKER_SOCKET, method, path, timeout_s=END_LIMIT_S + GRACE_S)
    if not answer.ok and answer.status not in ENDED_ALREADY:
        raise StepError(f"Docker says: {get_message(answer.body)}")
