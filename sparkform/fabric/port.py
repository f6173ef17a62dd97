"""Which of a Spark's two QSFP ports its cable of the fabric is in. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from sparkform.config import EffectiveNode
from sparkform.fabric.management import is_default_route, list_addresses
from sparkform.fabric.recall import find_last_known_port, find_unread_network
from sparkform.fabric.topology import Port
from sparkform.report.facts import NodeReport
from sparkform.report.unknown import Unknown

PORTS: tuple[Port, Port] = (0, 1)
LINK_LOCAL = IPv4Network("169.254.0.0/16")


def choose_port(node: EffectiveNode, reports: Mapping[str, NodeReport]) -> Port:
    """The declared port; else the one with a link; with two links, or none, that of our netplan
    file, then the one with an address in a network of another node's, then one without a way out.

    Our own file decides before the default, so that a pulled cable does not move the addresses.
    """
    if node.qsfp_port != "auto":
        return node.qsfp_port
    report = reports.get(node.name)
    if report is None or report.facts.interfaces is None:
        return find_last_known_port(node.name, reports) or 0
    ports = _list_own_candidates(report)
    ports = _keep(ports, _list_shared(node.name, reports)) or ports
    return (_keep(ports, {*PORTS} - _list_ways_out(report)) or ports)[0]


def find_unread_partner(node: EffectiveNode, reports: Mapping[str, NodeReport]) -> Unknown | None:
    """What another node did not read, where its addresses would decide between the ports."""
    report = reports[node.name]
    if node.qsfp_port != "auto" or len(_list_own_candidates(report)) == 1:
        return None
    for name, partner in reports.items():
        if name != node.name and (unread := find_unread_network(partner)):
            return Unknown(f"{unread.item} of {name}", unread.reason)
    return None


def _list_own_candidates(report: NodeReport) -> tuple[Port, ...]:
    """The ports that may be the one, as far as the node itself says."""
    linked = _keep(PORTS, _list_linked(report)) or PORTS
    return _keep(linked, _list_configured(report)) or linked


def _keep(ports: tuple[Port, ...], wanted: Iterable[int | None]) -> tuple[Port, ...]:
    return tuple(port for port in ports if port in {*wanted})


def _list_linked(report: NodeReport) -> set[int | None]:
    return {interface.port for interface in report.facts.interfaces or () if interface.carrier}


def _list_configured(report: NodeReport) -> set[int | None]:
    state = report.steps.get("fabric_address")
    content = state.get("file") if isinstance(state, dict) else None
    names = {*content} if isinstance(content, dict) else set()
    interfaces = report.facts.interfaces or ()
    return {interface.port for interface in interfaces if interface.name in names}


def _list_shared(node: str, reports: Mapping[str, NodeReport]) -> set[int | None]:
    """The ports whose addresses lie in one network with a port of another node."""
    others = {
        network
        for name, report in reports.items()
        if name != node
        for _, network in _list_port_networks(report)
    }
    return {port for port, network in _list_port_networks(reports[node]) if network in others}


def _list_port_networks(report: NodeReport) -> list[tuple[int, IPv4Network]]:
    return [
        (interface.port, address.network)
        for interface in report.facts.interfaces or ()
        if interface.port is not None and interface.carrier
        for address in list_addresses(interface)
        if not address.network.overlaps(LINK_LOCAL)
    ]


def _list_ways_out(report: NodeReport) -> set[int | None]:
    """The ports that lead to a router: no cable to another Spark does."""
    names = {route.interface for route in report.facts.routes or () if is_default_route(route)}
    interfaces = report.facts.interfaces or ()
    return {interface.port for interface in interfaces if interface.name in names}
