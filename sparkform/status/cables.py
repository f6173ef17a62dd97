"""The cables of a rack, judged by the links at their ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from node.readings.measure import Unread
from sparkform.config import Declaration, EffectiveNode
from sparkform.fabric.topology import HALVES, Cable, End, Port, build_cables
from sparkform.status.rack_status import CableState, CableStatus, LinkStatus, NodeStatus

PORTS: tuple[Port, Port] = (0, 1)


def build_cable_statuses(
    declaration: Declaration, nodes: Mapping[str, NodeStatus], measured: Mapping[str, float]
) -> tuple[CableStatus, ...]:
    """`measured` in Gb/s by cable."""
    by_index = sorted(declaration.nodes, key=lambda node: node.index)
    ports = {node.name: choose_port(node, nodes[node.name]) for node in by_index}
    names = [node.name for node in by_index]
    cables = build_cables(declaration.cluster.fabric.topology, names, ports)
    statuses = [build_cable_status(cable, nodes) for cable in cables]
    return tuple(replace(cable, measured_gbps=measured.get(cable.name)) for cable in statuses)


def choose_port(node: EffectiveNode, status: NodeStatus) -> Port:
    """The declared port, else the one with a link, else 0."""
    if node.qsfp_port != "auto":
        return node.qsfp_port
    links = status.links if isinstance(status.links, tuple) else ()
    linked = {link.port for link in links if link.is_up is True}
    return next((port for port in PORTS if port in linked), 0)


def build_cable_status(cable: Cable, nodes: Mapping[str, NodeStatus]) -> CableStatus:
    ends = tuple(end.node for end in cable.ends)
    links = [select_links(end, nodes[end.node]) for end in cable.ends]
    read = [known for known in links if isinstance(known, tuple)]
    unread = [reason for reason in links if isinstance(reason, Unread)]
    if any(nodes[name].is_away for name in ends):
        return CableStatus(cable.name, ends, "away", None)
    if not read:
        return CableStatus(cable.name, ends, unread[0], unread[0])
    worst = min(read, key=lambda known: measure_speed_gbps(known))
    return CableStatus(cable.name, ends, judge_links(worst), measure_speed_gbps(worst))


def select_links(end: End, status: NodeStatus) -> tuple[LinkStatus, ...] | Unread:
    """Those of the port. Without any known interface name all links are taken for the port's."""
    if isinstance(status.links, Unread):
        return status.links
    return tuple(link for link in status.links or () if link.port == end.port)


def judge_links(links: Sequence[LinkStatus]) -> CableState:
    up = sum(link.is_up is True for link in links)
    return "up" if up == len(HALVES) else "partial" if up else "down"


def measure_speed_gbps(links: Sequence[LinkStatus]) -> float:
    """The port's speed, which each of its halves that is up reports; 0 where it is not known."""
    speeds = [link.speed_gbps for link in links if link.is_up is True]
    return min((speed for speed in speeds if isinstance(speed, float)), default=0.0)
