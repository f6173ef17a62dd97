"""The fabric's addresses among all others that the nodes have."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING

from sparkform.config import EffectiveNode
from sparkform.rules.context import Context
from sparkform.rules.groups.nccl import names_exist
from sparkform.rules.outcome import ADVISORY, Finding, Outcome, Skip

if TYPE_CHECKING:
    from sparkform.fabric.network import Network
    from sparkform.report.facts import Interface, NodeDocument

JUMBO = 9000
OWN_FILE = "/etc/netplan/60-sparkform.yaml"


def _nodes(context: Context, path: str) -> Iterator[tuple[EffectiveNode, NodeDocument] | Skip]:
    """The nodes that were looked at, and a skip for each that was not."""
    for node in context.spec.active_nodes:
        document = context.document(node.name)
        if document is None or document.facts.interfaces is None:
            yield Skip(path=path, reason=f"the interfaces of {node.name} are not known")
        else:
            yield node, document


def _ipv4(interface: Interface) -> list[IPv4Interface]:
    return [IPv4Interface(text) for text in interface.addresses if ":" not in text]


def _written(document: NodeDocument) -> set[str]:
    """The interfaces of our own netplan file, whose addresses the next apply replaces."""
    files = document.facts.netplan or ()
    return {name for file in files if file.path == OWN_FILE for name in file.interfaces}


def _planned(context: Context) -> Network:
    from sparkform.fabric.network import plan_network

    return plan_network(context.spec, context.documents or {})[0]


def pool_overlap(context: Context) -> Iterator[Outcome]:
    """A pool that a node already routes elsewhere sends the fabric's packets out of the wrong port.

    NVIDIA's own ring addresses (192.168.0.0 to 192.168.5.0) collide with a common home network.
    """
    pools = [("cluster.swarm.addressPool", context.spec.cluster.swarm.address_pool)]
    if not context.spec.swarm_enabled:
        pools = []
    if context.topology != "none":
        pools.append(("cluster.fabric.pool", context.spec.cluster.fabric.pool))
    planned = _planned(context) if pools and context.documents else None
    for path, pool in pools:
        for one in _nodes(context, path):
            if isinstance(one, Skip) or planned is None:
                yield one if isinstance(one, Skip) else Skip(path=path, reason="no facts")
                continue
            node, document = one
            ours = {interface.name for interface in planned.fabric.get(node.name, ())}
            ours |= _written(document)
            # Docker's own bridges of a Swarm lie in its pool, and are the pool at work.
            own = ours | {"docker_gwbridge"}
            for network in _overlapping(IPv4Network(pool), document, own):
                yield Finding(
                    path=path,
                    message=f"The cluster must have a pool of its own, and {pool} overlaps "
                    f"{network} of {node.name}.",
                    remedy=f"{path.rpartition('.')[2]}: a private network that no node has",
                )


def _overlapping(
    pool: IPv4Network, document: NodeDocument, ours: set[str]
) -> tuple[IPv4Network, ...]:
    from sparkform.fabric.addressing import overlapping

    return overlapping(pool, _elsewhere(document, ours))


def _elsewhere(document: NodeDocument, ours: set[str]) -> list[IPv4Network]:
    interfaces, routes = document.facts.interfaces or (), document.facts.routes or ()
    held = [address.network for one in interfaces if one.name not in ours for address in _ipv4(one)]
    routed = [
        IPv4Network(route.destination)
        for route in routes
        if route.interface not in ours
        and route.destination not in (None, "default")
        and ":" not in str(route.destination)
    ]
    return sorted({*held, *routed})


def twin_subnets(context: Context) -> Iterator[Outcome]:
    """Two fabric interfaces of one node in one subnet break NCCL: answers leave by the wrong one.

    NVIDIA's pages require two subnets and its own script puts both halves into one. What sparkform
    plans has a subnet for each half; this looks at those together with what stays as it is.
    """
    if context.topology == "none":
        return
    planned = _planned(context) if context.documents else None
    for one in _nodes(context, "cluster.fabric.pool"):
        if isinstance(one, Skip) or planned is None:
            yield one if isinstance(one, Skip) else Skip(path="cluster.fabric", reason="no facts")
            continue
        node, document = one
        networks = {
            interface.name: {address.network for address in _ipv4(interface)}
            for interface in document.facts.interfaces or ()
            if interface.port is not None and interface.name not in _written(document)
        }
        for interface in planned.fabric.get(node.name, ()):
            networks[interface.name] = {interface.planned.address.network}
        for (first, mine), (second, other) in combinations(networks.items(), 2):
            if any(a.overlaps(b) for a in mine for b in other):
                yield Finding(
                    path=f"cluster.nodes[{node.position}].interfaces",
                    message="The cluster must have each fabric interface of a node in a subnet of "
                    f"its own, and {first} and {second} of {node.name} share one.",
                    remedy=f"# take the address off {second}: sudo rm its file in /etc/netplan",
                )


def interfaces_exist(context: Context) -> Iterator[Outcome]:
    """Interfaces and devices that a stack names must be there and have a link.

    NCCL_SOCKET_IFNAME fails where it names nothing; a wrong NCCL_IB_HCA falls back to sockets
    without a word. With MTU `inherit`, packets that stay small are told too.
    """
    for service in context.services:
        yield from names_exist(service)
    yield from _declared(context)


def _declared(context: Context) -> Iterator[Outcome]:
    inherits = context.spec.fabric_mtu == "inherit" and context.topology != "none"
    if not inherits and not any(node.interfaces for node in context.spec.active_nodes):
        return
    for one in _nodes(context, "cluster.nodes"):
        if isinstance(one, Skip):
            yield one
            continue
        node, document = one
        held = {interface.name: interface for interface in document.facts.interfaces or ()}
        place = f"cluster.nodes[{node.position}].interfaces"
        for name in node.interfaces or ():
            if name not in held or not held[name].carrier:
                yield Finding(
                    path=place,
                    message=f"The cluster must use interfaces that are up, and {name} of "
                    f"{node.name} is not.",
                    remedy="# take interfaces out of the node",
                )
        yield from _small_packets(context, node, held)


def _small_packets(
    context: Context, node: EffectiveNode, held: dict[str, Interface]
) -> Iterator[Outcome]:
    """With MTU inherit nothing raises it, and RoCE packets stay at 1,024 bytes."""
    if context.spec.fabric_mtu != "inherit" or context.topology == "none":
        return
    fabric = _planned(context).fabric.get(node.name, ())
    small = [one.name for one in fabric if (held[one.name].mtu or JUMBO) < JUMBO]
    if small:
        yield Finding(
            path="cluster.fabric.mtu",
            message="The cluster must measure with larger packets, as the MTU of "
            f"{', '.join(small)} of {node.name} is below {JUMBO}.",
            remedy="fabric: {mtu: 9000}  # if the switch passes 9216",
            severity=ADVISORY,
        )


def _management(node: EffectiveNode, document: NodeDocument) -> IPv4Interface | None:
    from sparkform.fabric.network import management_address

    return management_address(node, document)


def swarm_ethernet(context: Context) -> Iterator[Outcome]:
    """Swarm belongs on the management network, and NCCL on the fabric.

    An address of the fabric changes when the fabric is set up, and the Swarm falls apart; its
    traffic is small and gains nothing there.
    """
    if not context.spec.swarm_enabled:
        return
    for one in _nodes(context, "cluster.swarm"):
        if isinstance(one, Skip):
            yield one
            continue
        node, document = one
        used = _management(node, document)
        on_fabric = {
            str(address.ip)
            for interface in document.facts.interfaces or ()
            if interface.port is not None
            for address in _ipv4(interface)
        }
        if used is not None and str(used.ip) in on_fabric:
            yield Finding(
                path=f"cluster.nodes[{node.position}].managementAddress",
                message="The cluster must form its Swarm over the management network, and "
                f"{used.ip} of {node.name} is an address of its QSFP ports.",
                remedy="managementAddress: the address of enP7s7",
            )


RACK_RULES = {
    "ifname-exists": interfaces_exist,
    "pool-overlap": pool_overlap,
    "twin-subnets": twin_subnets,
    "swarm-ethernet": swarm_ethernet,
}
