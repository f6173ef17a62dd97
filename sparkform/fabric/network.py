"""Which interface of which node gets which address, from declaration and facts. Pure.

A problem is a sentence for the user; a plan with problems is never carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface

from sparkform.config import Declaration, EffectiveNode
from sparkform.errors import Problem
from sparkform.fabric.addressing import FabricAddress, assign_addresses
from sparkform.fabric.away import find_last_known_port
from sparkform.fabric.topology import HALVES, Cable, Port, build_cables
from sparkform.report.facts import Interface, NodeReport, Route

Reports = Mapping[str, NodeReport]
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


def plan_network(declaration: Declaration, reports: Reports) -> tuple[Network, list[Problem]]:
    """Every node that is there; a node that is away keeps its place in cables and addresses."""
    by_index = sorted(declaration.nodes, key=lambda node: node.index)
    ports = {node.name: _choose_port(node, reports) for node in declaration.nodes}
    rack_cables = build_cables(
        declaration.cluster.fabric.topology, [node.name for node in by_index], ports
    )
    addresses = assign_addresses(
        rack_cables,
        declaration.fabric_subnets,
        {node.name: node.index for node in declaration.nodes},
    )
    observed = [node for node in declaration.active_nodes if node.name in reports]
    problems: list[Problem] = []
    fabric = {}
    management = {}
    for node in observed:
        planned = [address for address in addresses if address.node == node.name]
        fabric[node.name], half_problems = _match_interfaces(node, reports[node.name], planned)
        address = find_management_address(node, reports[node.name])
        if address:
            management[node.name] = address
        problems += [*half_problems, *([] if address else [_report_unmanaged(node)])]
    problems += [
        _report_unobserved(node) for node in declaration.active_nodes if node.name not in reports
    ]
    return Network(rack_cables, fabric, management), problems


def _choose_port(node: EffectiveNode, reports: Reports) -> Port:
    if node.name in reports or node.qsfp_port != "auto":
        return find_used_port(node, reports.get(node.name))
    return find_last_known_port(node.name, reports) or 0


def find_used_port(node: EffectiveNode, report: NodeReport | None) -> Port:
    """The declared port; else the one with a cable, else the one of our netplan file, else 0.

    Our own file comes before the default, so that a pulled cable does not move the addresses.
    """
    if node.qsfp_port != "auto":
        return node.qsfp_port
    if report is None:
        return 0
    interfaces = report.facts.interfaces or ()
    linked = {interface.port for interface in interfaces if interface.carrier}
    file_interfaces = set(_get_own_file(report))
    configured = {interface.port for interface in interfaces if interface.name in file_interfaces}
    for candidates in (linked, configured):
        matching = [port for port in PORTS if port in candidates]
        if matching:
            return matching[0]
    return 0


def find_management_address(node: EffectiveNode, report: NodeReport) -> IPv4Interface | None:
    """The declared address, or the one behind the default route of the lowest metric."""
    interfaces = report.facts.interfaces or ()
    if node.management_address:
        return IPv4Interface(node.management_address)
    defaults = [route for route in report.facts.routes or () if _is_default(route)]
    for route in sorted(defaults, key=lambda route: route.metric or 0):
        matching = [interface for interface in interfaces if interface.name == route.interface]
        addresses = [address for interface in matching for address in _list_ipv4(interface)]
        chosen = [address for address in addresses if str(address.ip) == route.source]
        if chosen or addresses:
            return (chosen or addresses)[0]
    return None


def _is_default(route: Route) -> bool:
    return route.destination == "default" and route.table == "main"


def _get_own_file(report: NodeReport) -> Mapping[str, object]:
    state = report.steps.get("fabric_address")
    content = state.get("file") if isinstance(state, dict) else None
    return content if isinstance(content, dict) else {}


def _match_interfaces(
    node: EffectiveNode, report: NodeReport, planned: Iterable[FabricAddress]
) -> tuple[tuple[FabricInterface, ...], list[Problem]]:
    names = map_interface_names(node, report)
    interfaces, problems = [], []
    for entry in planned:
        name = names.get((entry.port, entry.half))
        if name:
            interfaces.append(FabricInterface(name, entry))
        else:
            problems.append(_report_missing_half(node, entry))
    return tuple(interfaces), problems


def map_interface_names(node: EffectiveNode, report: NodeReport) -> dict[tuple[int, str], str]:
    """(port, half) to interface: as declared for the used ports, else as the node reports."""
    if node.interfaces is not None:
        port_in_use = find_used_port(node, report)
        ports = PORTS if len(node.interfaces) > len(HALVES) else (port_in_use,)
        halves = [(port, half) for port in ports for half in HALVES]
        return dict(zip(halves, node.interfaces, strict=False))
    return {
        (interface.port, interface.half): interface.name
        for interface in report.facts.interfaces or ()
        if interface.port is not None and interface.half is not None
    }


def _list_ipv4(interface: Interface) -> list[IPv4Interface]:
    return [IPv4Interface(text) for text in interface.addresses if ":" not in text]


def _report_missing_half(node: EffectiveNode, entry: FabricAddress) -> Problem:
    return Problem(
        path=f"cluster.nodes[{node.position}].interfaces",
        message=f"half {entry.half} of QSFP port {entry.port} of {node.name} was not found",
        because=f"cable {entry.cable} needs both halves",
        remedy="`ibdev2netdev` on the node lists its fabric interfaces; name them here",
    )


def _report_unobserved(node: EffectiveNode) -> Problem:
    return Problem(
        path=f"cluster.nodes[{node.position}]",
        message=f"{node.name} was not observed",
        remedy="observe it, or declare it with `away: true`",
    )


def _report_unmanaged(node: EffectiveNode) -> Problem:
    return Problem(
        path=f"cluster.nodes[{node.position}].managementAddress",
        message=f"{node.name} has no default route, so its management address is not known",
        remedy="declare the address by which the other nodes reach it outside the fabric",
    )
