"""What a service needs on its nodes before it is stopped or started anew. Pure.

What was not read is no reason to refuse. Models and images are fetched before a service is stopped,
and say themselves what they lack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from node.host.paths import STATE
from sparkform.config import Declaration
from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.fabric.network import Network, Reports
from sparkform.plan.nodes import NodeSteps
from sparkform.plan.service_state import ServiceState
from sparkform.plan.services import ServicePlan
from sparkform.report.facts import Facts

MIN_FREE_BYTES = 1024**3
"""Chosen here, not sourced: the files of a launch, a container's layer and an engine's log."""

MIN_FREE_INODES = 100
SERVES_ON = "it would stop and could not start again, so nothing is changed"
NOT_STARTED = "it could not start, so nothing is changed"
ADDRESS_STEP = "fabric_address"
ENDING_STATES = ("running", "paused", "restarting", "removing")
"""Of the Docker Engine API: its processes may hold ports."""


@dataclass(frozen=True)
class Preflight:
    """What is planned and reported; `states` are the services as they are now."""

    declaration: Declaration
    network: Network
    reports: Reports
    nodes: Mapping[str, NodeSteps]
    states: Mapping[str, ServiceState]

    def find_problems(self, services: Mapping[str, ServicePlan]) -> Iterator[Problem]:
        """One for each thing that a service which starts anew will lack."""
        for name, plan in services.items():
            if plan.lines and not plan.unknown:
                members = tuple(dict.fromkeys(launch.node for launch in plan.launches))
                yield from self._find_service_problems(name, members)

    def _find_service_problems(self, service: str, members: Sequence[str]) -> Iterator[Problem]:
        because = SERVES_ON if self._serves(service) else NOT_STARTED
        for node in members:
            facts = self.reports[node].facts if node in self.reports else Facts()
            lacks = [*_find_full_disks(node, facts), *_find_missing_gpu(node, facts)]
            if len(members) > 1:
                lacks += self._find_down_links(node, facts)
            if node == members[0]:
                lacks += self._find_taken_port(service, node, facts)
            for lack in lacks:
                yield Problem(
                    path=format_service_path(service),
                    message=lack.message,
                    got=lack.got,
                    because=because,
                    remedy=lack.remedy,
                )

    def _serves(self, service: str) -> bool:
        return any(rank_object.is_alive for rank_object in self.states[service].objects)

    def _find_down_links(self, node: str, facts: Facts) -> Iterator[_Lack]:
        """Of a node whose interfaces are set up already: those of a new one are down until then."""
        address_step = self.nodes.get(node, {}).get(ADDRESS_STEP)
        if address_step is None or not address_step.decision.in_sync:
            return
        planned = {interface.name for interface in self.network.fabric.get(node, ())}
        down = [
            interface.name
            for interface in facts.interfaces or ()
            if interface.name in planned and not interface.carrier
        ]
        if down:
            yield _Lack(
                f"the cable of {node} has no link",
                ", ".join(down),
                f"plug it in at both ends; `sparkform doctor` names its place on {node}",
            )

    def _find_taken_port(self, service: str, node: str, facts: Facts) -> Iterator[_Lack]:
        """Where something of ours runs on the node, the listener may be what is stopped first: also
        a task of a Swarm service that was removed, which ends some seconds later."""
        if any(state.may_run_on(node) for state in self.states.values()):
            return
        if any(container.state in ENDING_STATES for container in facts.containers or ()):
            return
        port = self.declaration.services[service].port
        listeners = _list_listeners(facts, port)
        if listeners:
            yield _Lack(
                f"port {port} of {node} is used by {listeners[0]}",
                None,
                f"stop {listeners[0]}, or choose another `port`",
            )


@dataclass(frozen=True)
class _Lack:
    """What a node lacks: the cause first."""

    message: str
    got: str | None
    remedy: str


def _find_full_disks(node: str, facts: Facts) -> Iterator[_Lack]:
    """One for each file system that a start writes to. A disk of models alone may be full of them:
    that of the folder of models counts where it holds the agent's state, too."""
    disk = facts.disk
    if disk is None:
        return
    spaces = [disk.docker_directory, disk.image_directory]
    by_mount = {space.mount: space for space in spaces if space}
    models = disk.model_directory
    if models.mount and PurePosixPath(STATE).is_relative_to(models.mount):
        by_mount[models.mount] = models
    for mount, space in by_mount.items():
        if space.read_only:
            fix = (
                f"`sudo dmesg | grep -i remount` on {node} says why; reboot, which checks the disk"
            )
            yield _Lack(f"{mount} of {node} is read-only", None, fix)
        elif space.total_inodes and (space.free_inodes or 0) < MIN_FREE_INODES:
            fix = f"`docker system prune`, `sudo du --inodes -xd2 {mount} | sort -n | tail`"
            yield _Lack(f"{mount} of {node} has no inodes left", str(space.free_inodes), fix)
        elif space.free_bytes < MIN_FREE_BYTES:
            yield _Lack(
                f"disk of {node} is full",
                f"{space.free_bytes / 1024**2:.0f} MiB free on {mount}",
                f"free at least 1 GiB on {node}: `docker system df`, `sudo du -xhd1 {mount}`",
            )


def _find_missing_gpu(node: str, facts: Facts) -> Iterator[_Lack]:
    if facts.gpu and not facts.gpu.gpus:
        yield _Lack(
            f"{node} shows no GPU",
            None,
            f"`nvidia-smi` on {node} says why, and a reboot often brings it back",
        )


def _list_listeners(facts: Facts, port: int) -> list[str]:
    return [
        listener.process or "another program"
        for listener in facts.ports or ()
        if (listener.protocol, listener.port) == ("tcp", port)
    ]
