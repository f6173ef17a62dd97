"""Checks of services against the cluster: nodes, replicas, fabric, Swarm, ports."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from itertools import combinations

from sparkform.config.draft import Draft
from sparkform.config.effective import is_swarm_enabled
from sparkform.config.service import Service
from sparkform.errors import Problem

SWARM_PORTS = {
    2377: "Swarm's managers talk there",
    4789: "Swarm's networks run over it",
    7946: "Swarm's nodes find each other there",
}
"""The ports of docs.docker.com/engine/swarm/swarm-tutorial, which Docker opens on each node."""

TEXT_KEYS = {
    "reasoning_parser": "reasoningParser",
    "reasoning_parser_plugin": "reasoningParserPlugin",
    "tool_parser": "toolParser",
    "tool_parser_plugin": "toolParserPlugin",
    "speculative": "speculative",
}
"""Keys by attribute that only generated text has a use for."""

EVERYWHERE = ("0.0.0.0", "::")


def check_nodes_exist(draft: Draft) -> Iterator[Problem]:
    """A service names nodes of the cluster, each once."""
    if None in draft.names:
        return
    for service, block in draft.list_readable_services():
        for position, name in enumerate(block.nodes or ()):
            path = f"services.{service}.nodes[{position}]"
            if name not in draft.names:
                known = ", ".join(str(known) for known in draft.names)
                yield Problem(
                    path=path, message="is not a node of the cluster", got=name, allowed=known
                )
            elif name in (block.nodes or ())[:position]:
                yield Problem(path=path, message="is repeated", got=name)


def check_nodes_present(draft: Draft) -> Iterator[Problem]:
    """A service does not run on a node that is away."""
    away = {node.name for _, node in draft.enumerate_readable_nodes() if node.away}
    for service, block in draft.list_readable_services():
        for position, name in enumerate(block.nodes or ()):
            if name in away:
                yield Problem(
                    path=f"services.{service}.nodes[{position}]",
                    message="is away",
                    got=name,
                    because="a node that is away is not contacted",
                    remedy="remove it from the list, or set its away to false",
                )


def check_replicas_equal(draft: Draft) -> Iterator[Problem]:
    """The groups of a service have as many nodes each."""
    for service, block in draft.list_readable_services():
        count = len(draft.list_members(block))
        is_known = block.nodes is not None or None not in draft.nodes
        if is_known and count % block.replicas:
            divisors = [number for number in range(1, count + 1) if count % number == 0]
            yield Problem(
                path=f"services.{service}.replicas",
                message="does not cut the nodes into equal groups",
                got=f"{block.replicas} for {count}",
                allowed=", ".join(map(str, divisors)),
                because="each replica is the whole model on as many nodes",
            )


def check_replica_addresses(draft: Draft) -> Iterator[Problem]:
    """Groups answer on a node each, and an address is one node's."""
    for service, block in draft.list_readable_services():
        bind = ip_address(block.bind)
        if block.replicas > 1 and not (bind.is_unspecified or bind.is_loopback):
            yield Problem(
                path=f"services.{service}.bind",
                message=f"is an address of one node, but {block.replicas} replicas answer",
                got=block.bind,
                allowed="0.0.0.0, :: or a loopback address",
                remedy="leave it out",
            )


def check_fabric_present(draft: Draft) -> Iterator[Problem]:
    """Ranks on several nodes need cables between them."""
    if draft.fabric is None or draft.fabric.topology != "none":
        return
    for service, block in draft.list_groups():
        members = draft.list_members(block)
        if len(members) > 1:
            yield Problem(
                path=f"services.{service}.nodes",
                message="lists several nodes, but cluster.fabric.topology is none",
                got=", ".join(members),
                allowed="one node, or a topology that joins them",
                because="the ranks of a service exchange data over the fabric",
            )


def check_swarm_enabled(draft: Draft) -> Iterator[Problem]:
    """A service in Swarm needs the Swarm."""
    if draft.swarm is None or draft.swarm.enabled is not False:
        return
    for service, block in draft.list_readable_services():
        if block.runtime == "swarm":
            yield Problem(
                path=f"services.{service}.runtime",
                message="is swarm, but cluster.swarm.enabled is false",
                got="swarm",
                allowed="container or native, or a Swarm",
                remedy="remove cluster.swarm.enabled",
            )


def check_shared_nodes(draft: Draft) -> Iterator[Problem]:
    """Services share a node as plain containers and native engines, never with Swarm."""
    for (first_name, first), (second_name, second) in combinations(draft.list_groups(), 2):
        shared = set(draft.list_members(first)) & set(draft.list_members(second))
        is_other = first_name != second_name
        if is_other and shared and "swarm" in (first.runtime, second.runtime):
            yield Problem(
                path=f"services.{second_name}.nodes",
                message=f"{min(shared)} runs service {first_name} already",
                got=f"{first.runtime} and {second.runtime}",
                allowed="runtime container or native for both",
                because="a node offers Swarm its one GPU, which Swarm gives to one task, and Swarm "
                "does not see what runs outside it",
                remedy="runtime: container for both, or give each service nodes of its own",
            )


def check_task_keys(draft: Draft) -> Iterator[Problem]:
    """What belongs to the text of an answer has no place where there is none."""
    for service, block in draft.list_readable_services():
        if block.task == "generate":
            continue
        for attribute, key in TEXT_KEYS.items():
            if getattr(block, attribute, None) is not None:
                yield Problem(
                    path=f"services.{service}.{key}",
                    message=f"is not allowed with task {block.task}",
                    because="it answers with numbers",
                    remedy="leave it out",
                )


def check_adapter_names(draft: Draft) -> Iterator[Problem]:
    """The API tells adapters and model apart by their names."""
    for service, block in draft.list_readable_services():
        names = [block.served_name or block.model or service]
        for position, adapter in enumerate(getattr(block, "adapters", ())):
            if adapter.name in names:
                yield Problem(
                    path=f"services.{service}.adapters[{position}].name",
                    message="is served already",
                    got=adapter.name,
                    allowed="a name of its own",
                )
            names.append(adapter.name)


def check_files_given(draft: Draft) -> Iterator[Problem]:
    """A file without a path is one of the service's own."""
    for service, block in draft.list_readable_services():
        for key, name in block.named_files.items():
            if "/" not in name and name not in block.files:
                yield Problem(
                    path=f"services.{service}.{key}",
                    message="is none of the service's files",
                    got=name,
                    allowed=", ".join(block.files) or "a path that the engine sees",
                    remedy=f"put its text under services.{service}.files",
                )


def check_ports_free(draft: Draft) -> Iterator[Problem]:
    """An API's port is not one that its node is known to use already."""
    if draft.swarm is None:
        return
    blocks = [block for _, block in draft.list_readable_services()]
    taken = dict(SWARM_PORTS) if is_swarm_enabled(draft.swarm.enabled, blocks) else {}
    ssh = {node.name: node.port for _, node in draft.enumerate_readable_nodes()}
    for service, block in draft.list_groups():
        first = next(iter(draft.list_members(block)), None)
        reason = taken.get(block.port)
        if first is not None and ssh.get(first) == block.port:
            reason = f"the SSH server of {first} listens there"
        if reason:
            path = f"services.{service}.port"
            yield Problem(path=path, message="is in use", got=str(block.port), because=reason)


def check_ports_differ(draft: Draft) -> Iterator[Problem]:
    """Two services that answer on one node need two ports."""
    for (first_name, first), (second_name, second) in combinations(draft.list_groups(), 2):
        node = next(iter(draft.list_members(second)), None)
        is_met = node is not None and _is_answered_by(first, node, draft)
        if is_met and first_name != second_name and _collide(first, second):
            yield Problem(
                path=f"services.{second_name}.port",
                message=f"is also the port of service {first_name} on node {node}",
                got=str(second.port),
                allowed="a different one",
                because="both use the node's own network",
            )


def _is_answered_by(service: Service, node: str, draft: Draft) -> bool:
    return next(iter(draft.list_members(service)), None) == node


def _collide(first: Service, second: Service) -> bool:
    meet = first.bind == second.bind or {first.bind, second.bind} & set(EVERYWHERE)
    return first.port == second.port and bool(meet)


def check_restart_window(draft: Draft) -> Iterator[Problem]:
    """The time in which restarts are counted is longer than a stall."""
    for service, block in draft.list_readable_services():
        if block.restart_window_seconds <= block.stall_seconds:
            yield Problem(
                path=f"services.{service}.restartWindowSeconds",
                message="is not longer than stallSeconds",
                got=f"{block.restart_window_seconds} for {block.stall_seconds}",
                because="a service that stalls each time would be restarted for ever",
            )


CHECKS = (
    check_nodes_exist,
    check_nodes_present,
    check_replicas_equal,
    check_replica_addresses,
    check_fabric_present,
    check_swarm_enabled,
    check_shared_nodes,
    check_task_keys,
    check_adapter_names,
    check_files_given,
    check_ports_free,
    check_ports_differ,
    check_restart_window,
)
