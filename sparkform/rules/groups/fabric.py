"""The fabric's addresses among all others that the nodes have."""

from __future__ import annotations

from collections.abc import Iterator
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
    from sparkform.report.facts import Interface, NodeReport


def _list_observed_nodes(
    context: Context, path: str
) -> Iterator[tuple[EffectiveNode, NodeReport] | RuleSkip]:
    """The nodes that were looked at, and a skip for each that was not."""
    for node in context.declaration.active_nodes:
        report = context.find_report(node.name)
        if report is None or report.facts.interfaces is None:
            yield RuleSkip(path=path, reason=f"the interfaces of {node.name} are not known")
        else:
            yield node, report


def _list_ipv4(interface: Interface) -> list[IPv4Interface]:
    return [IPv4Interface(text) for text in interface.addresses if ":" not in text]


def _list_our_netplan_interfaces(report: NodeReport) -> set[str]:
    """The interfaces of our own netplan file, whose addresses the next apply replaces."""
    files = report.facts.netplan or ()
    return {name for file in files if file.path == NETPLAN_FILE for name in file.interfaces}


def check_address_pools(context: Context) -> Iterator[RuleOutcome]:
    """A pool that a node already routes elsewhere sends the fabric's packets out of the wrong port.

    NVIDIA's own ring addresses (192.168.0.0 to 192.168.5.0) collide with a common home network.
    """
    pools = [("cluster.swarm.addressPool", context.declaration.cluster.swarm.address_pool)]
    if not context.declaration.swarm_enabled:
        pools = []
    if context.topology != "none":
        pools.append(("cluster.fabric.pool", context.declaration.cluster.fabric.pool))
    network_plan = context.network
    for path, pool in pools:
        for observed in _list_observed_nodes(context, path):
            if isinstance(observed, RuleSkip) or network_plan is None:
                yield (
                    observed
                    if isinstance(observed, RuleSkip)
                    else RuleSkip(path=path, reason="no facts")
                )
                continue
            node, report = observed
            fabric_names = {interface.name for interface in network_plan.fabric.get(node.name, ())}
            fabric_names |= _list_our_netplan_interfaces(report)
            # Docker's own bridges of a Swarm lie in its pool, and are the pool at work.
            ignored_names = fabric_names | {"docker_gwbridge"}
            for overlapping_network in _find_overlapping(IPv4Network(pool), report, ignored_names):
                yield RuleFinding(
                    path=path,
                    message=(
                        f"{pool} overlaps {overlapping_network} of {node.name}: packets leave "
                        "through the wrong interface."
                    ),
                    remedy=f"{path.rpartition('.')[2]}: a private network that no node has",
                )


def _find_overlapping(
    pool: IPv4Network, report: NodeReport, ignored_names: set[str]
) -> tuple[IPv4Network, ...]:
    from sparkform.fabric.addressing import find_overlaps

    return find_overlaps(pool, _list_other_networks(report, ignored_names))


def _list_other_networks(report: NodeReport, ignored_names: set[str]) -> list[IPv4Network]:
    interfaces, routes = report.facts.interfaces or (), report.facts.routes or ()
    interface_networks = [
        address.network
        for interface in interfaces
        if interface.name not in ignored_names
        for address in _list_ipv4(interface)
    ]
    routed_networks = [
        IPv4Network(route.destination)
        for route in routes
        if route.interface not in ignored_names
        and route.destination not in (None, "default")
        and ":" not in str(route.destination)
    ]
    return sorted({*interface_networks, *routed_networks})


def check_twin_subnets(context: Context) -> Iterator[RuleOutcome]:
    """Two fabric interfaces of one node in one subnet break NCCL: answers leave by the wrong one.

    NVIDIA's pages require two subnets and its own script puts both halves into one. What sparkform
    plans has a subnet for each half; this looks at those together with what stays as it is.
    """
    if context.topology == "none":
        return
    network_plan = context.network
    for observed in _list_observed_nodes(context, "cluster.fabric.pool"):
        if isinstance(observed, RuleSkip) or network_plan is None:
            yield (
                observed
                if isinstance(observed, RuleSkip)
                else RuleSkip(path="cluster.fabric", reason="no facts")
            )
            continue
        node, report = observed
        networks = {
            interface.name: {address.network for address in _list_ipv4(interface)}
            for interface in report.facts.interfaces or ()
            if interface.port is not None
            and interface.name not in _list_our_netplan_interfaces(report)
        }
        for interface in network_plan.fabric.get(node.name, ()):
            networks[interface.name] = {interface.planned.address.network}
        for (name, subnets), (other_name, other_subnets) in combinations(networks.items(), 2):
            if any(
                subnet.overlaps(other_subnet)
                for subnet in subnets
                for other_subnet in other_subnets
            ):
                yield RuleFinding(
                    path=f"cluster.nodes[{node.position}].interfaces",
                    message=(
                        f"{name} and {other_name} of {node.name} are in one subnet: NCCL's answers "
                        "leave through the wrong one."
                    ),
                    remedy=f"# take the address off {other_name}: sudo rm its file in /etc/netplan",
                )


def check_interfaces_exist(context: Context) -> Iterator[RuleOutcome]:
    """Interfaces and devices that a stack names must be there and have a link.

    NCCL_SOCKET_IFNAME fails where it names nothing; a wrong NCCL_IB_HCA falls back to sockets
    without a word. With MTU `inherit`, packets that stay small are told too.
    """
    for service in context.services:
        yield from check_interface_names(service)
    yield from _check_declared_interfaces(context)


def _check_declared_interfaces(context: Context) -> Iterator[RuleOutcome]:
    inherits = context.declaration.fabric_mtu == "inherit" and context.topology != "none"
    if not inherits and not any(node.interfaces for node in context.declaration.active_nodes):
        return
    for observed in _list_observed_nodes(context, "cluster.nodes"):
        if isinstance(observed, RuleSkip):
            yield observed
            continue
        node, report = observed
        interfaces = {interface.name: interface for interface in report.facts.interfaces or ()}
        path = f"cluster.nodes[{node.position}].interfaces"
        for name in node.interfaces or ():
            if name not in interfaces or not interfaces[name].carrier:
                yield RuleFinding(
                    path=path,
                    message=f"{name} of {node.name} is missing or has no link.",
                    remedy="# take interfaces out of the node",
                )
        yield from _check_mtu(context, node, interfaces)


def _check_mtu(
    context: Context, node: EffectiveNode, interfaces: dict[str, Interface]
) -> Iterator[RuleOutcome]:
    """With MTU inherit nothing raises it, and RoCE packets stay at 1,024 bytes."""
    if context.declaration.fabric_mtu != "inherit" or context.topology == "none":
        return
    fabric = context.network.fabric.get(node.name, ()) if context.network else ()
    small_names = [
        interface.name
        for interface in fabric
        if (interfaces[interface.name].mtu or JUMBO_MTU) < JUMBO_MTU
    ]
    if small_names:
        yield RuleFinding(
            path="cluster.fabric.mtu",
            message=(
                f"The MTU of {', '.join(small_names)} of {node.name} is below {JUMBO_MTU}: "
                "RoCE packets stay small."
            ),
            remedy="fabric: {mtu: 9000}  # if the switch passes 9216",
            severity=ADVISORY,
        )


def _find_management_address(node: EffectiveNode, report: NodeReport) -> IPv4Interface | None:
    from sparkform.fabric.network import find_management_address

    return find_management_address(node, report)


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
        node, report = observed
        management_address = _find_management_address(node, report)
        on_fabric = {
            str(address.ip)
            for interface in report.facts.interfaces or ()
            if interface.port is not None
            for address in _list_ipv4(interface)
        }
        if management_address is not None and str(management_address.ip) in on_fabric:
            yield RuleFinding(
                path=f"cluster.nodes[{node.position}].managementAddress",
                message=(
                    f"Swarm would use {management_address.ip} of {node.name}, an address of its "
                    "QSFP ports, and breaks when the fabric changes."
                ),
                remedy="managementAddress: the address of enP7s7",
            )


RACK_RULES = {
    "ifname-exists": check_interfaces_exist,
    "pool-overlap": check_address_pools,
    "twin-subnets": check_twin_subnets,
    "swarm-ethernet": check_swarm_network,
}
