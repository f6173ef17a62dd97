"""Checks of services against the cluster: nodes, fabric, Swarm, ports."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from sparkform.config.draft import Draft
from sparkform.config.effective import swarm_enabled
from sparkform.config.service import Service
from sparkform.errors import Problem

SWARM_PORTS = {
    2377: "Swarm's managers talk there",
    4789: "Swarm's networks run over it",
    7946: "Swarm's nodes find each other there",
}
"""The ports of docs.docker.com/engine/swarm/swarm-tutorial, which Docker opens on each node."""

EVERYWHERE = ("0.0.0.0", "::")


def nodes_exist(draft: Draft) -> Iterator[Problem]:
    """A service names nodes of the cluster, each once."""
    if None in draft.names:
        return
    for service, block in draft.readable_services():
        for at, name in enumerate(block.nodes or ()):
            path = f"services.{service}.nodes[{at}]"
            if name not in draft.names:
                known = ", ".join(str(known) for known in draft.names)
                yield Problem(path=path, what="is no node of the cluster", got=name, allowed=known)
            elif name in (block.nodes or ())[:at]:
                yield Problem(path=path, what="is named twice", got=name)


def nodes_are_here(draft: Draft) -> Iterator[Problem]:
    """A service does not run on a node that is away."""
    away = {node.name for _, node in draft.readable_nodes() if node.away}
    for service, block in draft.readable_services():
        for at, name in enumerate(block.nodes or ()):
            if name in away:
                yield Problem(
                    path=f"services.{service}.nodes[{at}]",
                    what="is away",
                    got=name,
                    because="a node that is away is not contacted",
                    remedy="take it out of the list, or end its absence",
                )


def several_nodes_have_a_fabric(draft: Draft) -> Iterator[Problem]:
    """Ranks on several nodes need cables between them."""
    if draft.fabric is None or draft.fabric.topology != "none":
        return
    for service, block in draft.readable_services():
        members = draft.members(block)
        if len(members) > 1:
            yield Problem(
                path=f"services.{service}.nodes",
                what="are several, and cluster.fabric.topology is none",
                got=", ".join(members),
                allowed="one node, or a topology that joins them",
                because="the ranks of a service exchange data over the fabric",
            )


def swarm_is_on(draft: Draft) -> Iterator[Problem]:
    """A service in Swarm needs the Swarm."""
    if draft.swarm is None or draft.swarm.enabled is not False:
        return
    for service, block in draft.readable_services():
        if block.runtime == "swarm":
            yield Problem(
                path=f"services.{service}.runtime",
                what="is swarm, and cluster.swarm.enabled is false",
                got="swarm",
                allowed="container or native, or a Swarm",
                remedy="leave cluster.swarm.enabled out",
            )


def ports_are_free(draft: Draft) -> Iterator[Problem]:
    """An API's port is not one that its node is known to use already."""
    if draft.swarm is None:
        return
    blocks = [block for _, block in draft.readable_services()]
    taken = dict(SWARM_PORTS) if swarm_enabled(draft.swarm.enabled, blocks) else {}
    ssh = {node.name: node.port for _, node in draft.readable_nodes()}
    for service, block in draft.readable_services():
        first = next(iter(draft.members(block)), None)
        why = taken.get(block.port)
        if first is not None and ssh.get(first) == block.port:
            why = f"the SSH server of {first} listens there"
        if why:
            path = f"services.{service}.port"
            yield Problem(path=path, what="is taken", got=str(block.port), because=why)


def ports_differ(draft: Draft) -> Iterator[Problem]:
    """Two services that answer on one node need two ports."""
    for (one, first), (other, second) in combinations(draft.readable_services(), 2):
        node = next(iter(draft.members(second)), None)
        if node is not None and _answers_on(first, node, draft) and _collide(first, second):
            yield Problem(
                path=f"services.{other}.port",
                what=f"is the port of service {one} on node {node} too",
                got=str(second.port),
                allowed="a different one",
                because="both use the node's own network",
            )


def _answers_on(service: Service, node: str, draft: Draft) -> bool:
    return next(iter(draft.members(service)), None) == node


def _collide(first: Service, second: Service) -> bool:
    meet = first.bind == second.bind or {first.bind, second.bind} & set(EVERYWHERE)
    return first.port == second.port and bool(meet)


CHECKS = (
    nodes_exist,
    nodes_are_here,
    several_nodes_have_a_fabric,
    swarm_is_on,
    ports_are_free,
    ports_differ,
)
