"""The fabric's addresses among all others that the nodes have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING

from node.host.paths import NETPLAN_FILE
from sparkform.config import EffectiveNode
from sparkform.config.values import JUMBO_MTU
from sparkform.rules.context import Context
from sparkform.rules.groups.nccl import check_interface_names
from sparkform.rules.outcome import ADVISORY, RuleFinding, RuleOutcome, RuleSkip

if TYPE_CHECKING:
    from sparkform.fabric.network import FabricInterface
    from sparkform.report.facts import Facts, Interface


@dataclass(frozen=True)
class ObservedNode:
    """A node whose interfaces are known, with the addresses that are planned for its fabric."""

    node: EffectiveNode
    facts: Facts
    interfaces: tuple[Interface, ...]
    planned: tuple[FabricInterface, ...]

    @property
    def planned_names(self) -> set[str]:
        return {interface.name for interface in self.planned}

    @property
    def our_netplan_names(self) -> set[str]:
        """The interfaces of our own netplan file, whose addresses the next apply replaces."""
        files = [file for file in self.facts.netplan or () if file.path == NETPLAN_FILE]
        return {name for file in files for name in file.interfaces}


def _list_observed_nodes(context: Context, path: str) -> Iterator[ObservedNode | RuleSkip]:
    """The nodes whose interfaces are known, and a skip for each other one."""
    for node in context.declaration.active_nodes:
        report = context.find_report(node.name)
        interfaces = report.facts.interfaces if report else None
        planned = context.network.fabric.get(node.name) if context.network else None
        if report is None or interfaces is None or planned is None:
            yield RuleSkip(path=path, reason=f"the interfaces of {node.name} are not known")
        else:
            yield ObservedNode(node, report.facts, interfaces, planned)


def _list_ipv4(interface: Interface) -> list[IPv4Interface]:
    return [IPv4Interface(text) for text in interface.addresses if ":" not in text]


def check_address_pools(context: Context) -> Iterator[RuleOutcome]:
    """A pool that a node already routes elsewhere sends the fabric's packets out of the wrong port.

    NVIDIA's own ring addresses (192.168.0.0 to 192.168.5.0) collide with a common home network.
    """
    cluster, pools = context.declaration.cluster, []
    if context.declaration.swarm_enabled:
        pools.append(("cluster.swarm.addressPool", cluster.swarm.address_pool))
    if context.topology != "none":
        pools.append(("cluster.fabric.pool", cluster.fabric.pool))
    for path, pool in pools:
        for observed in _list_observed_nodes(context, path):
            if isinstance(observed, RuleSkip):
                yield observed
            else:
                yield from _check_pool(path, IPv4Network(pool), observed)


def _check_pool(path: str, pool: IPv4Network, observed: ObservedNode) -> Iterator[RuleOutcome]:
    from sparkform.fabric.addressing import find_overlaps

    if observed.facts.routes is None:
        yield RuleSkip(path=path, reason=f"the routes of {observed.node.name} are not known")
    for network in find_overlaps(pool, _list_other_networks(observed)):
        yield RuleFinding(
            path=path,
            message=(
                f"{pool} overlaps {network} of {observed.node.name}: packets leave through the "
                "wrong interface."
            ),
            remedy=f"{path.rpartition('.')[2]}: a private network that no node has",
        )


def _list_other_networks(observed: ObservedNode) -> list[IPv4Network]:
    """Networks of a node that are not of the fabric as we set it. Docker's own bridge of a Swarm
    lies in its pool, and is the pool at work."""
    ignored_names = {*observed.planned_names, *observed.our_netplan_names, "docker_gwbridge"}
    networks = {
        address.network
        for interface in observed.interfaces
        if interface.name not in ignored_names
        for address in _list_ipv4(interface)
    }
    networks |= {
        IPv4Network(route.destination)
        for route in observed.facts.routes or ()
        if route.interface not in ignored_names
        and route.destination not in (None, "default")
        and ":" not in str(route.destination)
    }
    return sorted(networks)


def check_twin_subnets(context: Context) -> Iterator[RuleOutcome]:
    """Two fabric interfaces of one node in one subnet break NCCL: answers leave by the wrong one.

    NVIDIA's pages require two subnets, its script puts both halves into one. sparkform plans one
    for each half; this judges them together with what stays.
    """
    if context.topology == "none":
        return
    for observed in _list_observed_nodes(context, "cluster.fabric.pool"):
        if isinstance(observed, RuleSkip):
            yield observed
            continue
        node, subnets = observed.node, _list_fabric_subnets(observed)
        for (name, subnet), (other_name, other_subnet) in combinations(subnets, 2):
            if name != other_name and subnet.overlaps(other_subnet):
                yield RuleFinding(
                    path=f"cluster.nodes[{node.position}].interfaces",
                    message=(
                        f"{name} and {other_name} of {node.name} are in one subnet: NCCL's answers "
                        "leave through the wrong one."
                    ),
                    remedy=f"# take the address off {other_name}: sudo rm its file in /etc/netplan",
                )


def _list_fabric_subnets(observed: ObservedNode) -> list[tuple[str, IPv4Network]]:
    """Interface and subnet: those that stay as they are, and those that are planned."""
    replaced_names = observed.planned_names | observed.our_netplan_names
    subnets = {
        (interface.name, address.network): None
        for interface in observed.interfaces
        if interface.port is not None and interface.name not in replaced_names
        for address in _list_ipv4(interface)
    }
    planned = {(entry.name, entry.planned.address.network): None for entry in observed.planned}
    return [*subnets, *planned]


def check_interfaces_exist(context: Context) -> Iterator[RuleOutcome]:
    """Interfaces and devices that a stack names must be there and have a link.

    NCCL_SOCKET_IFNAME fails where it names nothing; a wrong NCCL_IB_HCA falls back to sockets
    without a word. With MTU `inherit`, packets that stay small are told too.
    """
    for service in context.services:
        yield from check_interface_names(service)
    inherits_mtu = context.declaration.fabric_mtu == "inherit" and context.topology != "none"
    if not inherits_mtu and not any(node.interfaces for node in context.declaration.active_nodes):
        return
    observed_nodes = list(_list_observed_nodes(context, "cluster.nodes"))
    for observed in observed_nodes:
        if isinstance(observed, RuleSkip):
            yield observed
            continue
        yield from _check_declared_interfaces(observed)
        if inherits_mtu:
            yield from _check_mtu(observed)
    if inherits_mtu:
        yield from _check_equal_mtu(observed_nodes)


def _check_declared_interfaces(observed: ObservedNode) -> Iterator[RuleOutcome]:
    linked_names = {interface.name for interface in observed.interfaces if interface.carrier}
    for name in observed.node.interfaces or ():
        if name not in linked_names:
            yield RuleFinding(
                path=f"cluster.nodes[{observed.node.position}].interfaces",
                message=f"{name} of {observed.node.name} is missing or has no link.",
                remedy="# take interfaces out of the node",
            )


def _check_mtu(observed: ObservedNode) -> Iterator[RuleOutcome]:
    """With MTU inherit nothing raises it, and RoCE packets stay at 1,024 bytes."""
    names = [
        interface.name
        for interface in observed.interfaces
        if interface.name in observed.planned_names and (interface.mtu or JUMBO_MTU) < JUMBO_MTU
    ]
    if names:
        yield RuleFinding(
            path="cluster.fabric.mtu",
            message=(
                f"The MTU of {', '.join(names)} of {observed.node.name} is below {JUMBO_MTU}: RoCE "
                "packets stay small."
            ),
            remedy=f"fabric: {{mtu: {JUMBO_MTU}}}  # if the switch passes 9216",
            severity=ADVISORY,
        )


def _check_equal_mtu(observed_nodes: Iterable[ObservedNode | RuleSkip]) -> Iterator[RuleOutcome]:
    """With MTU inherit each node has its own, and one sends what another does not take."""
    mtus = {
        f"{observed.node.name} {interface.name}": interface.mtu
        for observed in observed_nodes
        if isinstance(observed, ObservedNode)
        for interface in observed.interfaces
        if interface.name in observed.planned_names and interface.mtu
    }
    smallest, largest = min(mtus.values(), default=None), max(mtus.values(), default=None)
    small = [half for half, mtu in mtus.items() if mtu == smallest]
    if smallest != largest:
        yield RuleFinding(
            path="cluster.fabric.mtu",
            message=(
                f"The MTU of {', '.join(small)} is {smallest}, of other halves up to {largest}: "
                "packets of the larger ones are lost there."
            ),
            remedy=f"fabric: {{mtu: {max(largest or 0, 1500)}}}  # `pulumi up` then sets it on all",
            severity=ADVISORY,
        )


def check_swarm_network(context: Context) -> Iterator[RuleOutcome]:
    """Swarm belongs on the management network, and NCCL on the fabric.

    An address of the fabric changes when the fabric is set up, and the Swarm falls apart; its
    traffic is small and gains nothing there.
    """
    if not context.declaration.swarm_enabled:
        return
    for observed in _list_observed_nodes(context, "cluster.swarm"):
        if isinstance(observed, RuleSkip):
            yield observed
            continue
        node = observed.node
        management = context.network.management.get(node.name) if context.network else None
        ports = [interface for interface in observed.interfaces if interface.port is not None]
        fabric_addresses = {address.ip for port in ports for address in _list_ipv4(port)}
        if management is not None and management.ip in fabric_addresses:
            yield RuleFinding(
                path=f"cluster.nodes[{node.position}].managementAddress",
                message=(
                    f"Swarm would use {management.ip} of {node.name}, an address of its QSFP "
                    "ports, and breaks when the fabric changes."
                ),
                remedy="managementAddress: the address of enP7s7",
            )


RACK_RULES = {
    "ifname-exists": check_interfaces_exist,
    "pool-overlap": check_address_pools,
    "twin-subnets": check_twin_subnets,
    "swarm-ethernet": check_swarm_network,
}
