"""Which interface of which node gets which address, from declaration and facts. Pure.

A problem is a sentence for the user; a plan with problems is never carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface

from sparkform.config import EffectiveNode, Spec
from sparkform.errors import Problem
from sparkform.fabric.addressing import FabricAddress, fabric_addresses
from sparkform.fabric.away import told_port
from sparkform.fabric.topology import HALVES, Cable, Port, cables
from sparkform.report.facts import Interface, NodeDocument, Route

Documents = Mapping[str, NodeDocument]
PORTS: tuple[Port, Port] = (0, 1)


@dataclass(frozen=True)
class FabricInterface:
    """A fabric address with the interface that carries it."""

    name: str
    planned: FabricAddress


@dataclass(frozen=True)
class Network:
    """The rack's cables, and what each node's interfaces should be. All by node name."""

    cables: tuple[Cable, ...]
    fabric: Mapping[str, tuple[FabricInterface, ...]]
    management: Mapping[str, IPv4Interface]


def plan_network(spec: Spec, documents: Documents) -> tuple[Network, list[Problem]]:
    """Every node that is there; a node that is away keeps its place in cables and addresses."""
    by_index = sorted(spec.nodes, key=lambda node: node.index)
    ports = {node.name: _port(node, documents) for node in spec.nodes}
    laid = cables(spec.cluster.fabric.topology, [node.name for node in by_index], ports)
    addresses = fabric_addresses(
        laid, spec.fabric_subnets, {node.name: node.index for node in spec.nodes}
    )
    there = [node for node in spec.active_nodes if node.name in documents]
    problems: list[Problem] = []
    fabric = {}
    management = {}
    for node in there:
        own = [address for address in addresses if address.node == node.name]
        fabric[node.name], missing = _interfaces(node, documents[node.name], own)
        address = management_address(node, documents[node.name])
        if address:
            management[node.name] = address
        problems += [*missing, *([] if address else [_unmanaged(node)])]
    problems += [_unseen(node) for node in spec.active_nodes if node.name not in documents]
    return Network(laid, fabric, management), problems


def _port(node: EffectiveNode, documents: Documents) -> Port:
    if node.name in documents or node.qsfp_port != "auto":
        return used_port(node, documents.get(node.name))
    return told_port(node.name, documents) or 0


def used_port(node: EffectiveNode, document: NodeDocument | None) -> Port:
    """The declared port; else the one with a cable, else the one of our netplan file, else 0.

    Our own file comes before the default, so that a pulled cable does not move the addresses.
    """
    if node.qsfp_port != "auto":
        return node.qsfp_port
    if document is None:
        return 0
    interfaces = document.facts.interfaces or ()
    linked = {one.port for one in interfaces if one.carrier}
    named = set(_own_file(document))
    configured = {one.port for one in interfaces if one.name in named}
    for candidates in (linked, configured):
        found = [port for port in PORTS if port in candidates]
        if found:
            return found[0]
    return 0


def management_address(node: EffectiveNode, document: NodeDocument) -> IPv4Interface | None:
    """The declared address, or the one behind the default route of the lowest metric."""
    interfaces = document.facts.interfaces or ()
    if node.management_address:
        return IPv4Interface(node.management_address)
    defaults = [route for route in document.facts.routes or () if _is_default(route)]
    for route in sorted(defaults, key=lambda route: route.metric or 0):
        held = [one for one in interfaces if one.name == route.interface]
        addresses = [address for one in held for address in _ipv4(one)]
        chosen = [address for address in addresses if str(address.ip) == route.source]
        if chosen or addresses:
            return (chosen or addresses)[0]
    return None


def _is_default(route: Route) -> bool:
    return route.destination == "default" and route.table == "main"


def _own_file(document: NodeDocument) -> Mapping[str, object]:
    seen = document.steps.get("fabric_address")
    found = seen.get("file") if isinstance(seen, dict) else None
    return found if isinstance(found, dict) else {}


def _interfaces(
    node: EffectiveNode, document: NodeDocument, planned: Iterable[FabricAddress]
) -> tuple[tuple[FabricInterface, ...], list[Problem]]:
    names = interface_names(node, document)
    found, problems = [], []
    for entry in planned:
        name = names.get((entry.port, entry.half))
        if name:
            found.append(FabricInterface(name, entry))
        else:
            problems.append(_missing(node, entry))
    return tuple(found), problems


def interface_names(node: EffectiveNode, document: NodeDocument) -> dict[tuple[int, str], str]:
    """(port, half) to interface: as declared for the used ports, else as the node reports."""
    if node.interfaces is not None:
        used = used_port(node, document)
        ports = PORTS if len(node.interfaces) > len(HALVES) else (used,)
        places = [(port, half) for port in ports for half in HALVES]
        return dict(zip(places, node.interfaces, strict=False))
    return {
        (one.port, one.half): one.name
        for one in document.facts.interfaces or ()
        if one.port is not None and one.half is not None
    }


def _ipv4(interface: Interface) -> list[IPv4Interface]:
    return [IPv4Interface(text) for text in interface.addresses if ":" not in text]


def _missing(node: EffectiveNode, entry: FabricAddress) -> Problem:
    return Problem(
        path=f"cluster.nodes[{node.position}].interfaces",
        what=f"half {entry.half} of QSFP port {entry.port} of {node.name} was not found",
        because=f"cable {entry.cable} needs both halves",
        remedy="`ibdev2netdev` on the node lists its fabric interfaces; name them here",
    )


def _unseen(node: EffectiveNode) -> Problem:
    return Problem(
        path=f"cluster.nodes[{node.position}]",
        what=f"{node.name} was not observed",
        remedy="observe it, or declare it with `away: true`",
    )


def _unmanaged(node: EffectiveNode) -> Problem:
    return Problem(
        path=f"cluster.nodes[{node.position}].managementAddress",
        what=f"{node.name} has no default route, so its management address is not known",
        remedy="declare the address by which the other nodes reach it outside the fabric",
    )
