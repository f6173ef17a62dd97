"""How the nodes are cabled, as far as links tell. Pure.

Before there are addresses only this can be read: which ports have a link. What is at the other end
cannot (Sparks send no LLDP of their own), so the rest is an assumption and named as one;
`fabric_check` proves or refutes it at the first `pulumi up`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkform.fabric.topology import Port, Topology
from sparkform.report.facts import Interface

PORTS: tuple[Port, Port] = (0, 1)


@dataclass(frozen=True)
class DetectedTopology:
    """`observations` were read; `assumptions` were not, and may be wrong."""

    topology: Topology
    observations: tuple[str, ...]
    assumptions: tuple[str, ...]


def detect_topology(interfaces: Mapping[str, Sequence[Interface]]) -> DetectedTopology:
    """`interfaces` by node name, the head first."""
    linked = {
        node: find_linked_ports(node_interfaces) for node, node_interfaces in interfaces.items()
    }
    observations = [_describe_ports(node, ports) for node, ports in linked.items()]
    observations += [
        text
        for node, node_interfaces in interfaces.items()
        for text in _describe_half_links(node, node_interfaces)
    ]
    observations += [
        text
        for node, node_interfaces in interfaces.items()
        for text in _describe_hidden(node, node_interfaces)
    ]
    topology, assumptions = _judge(list(linked.values()))
    return DetectedTopology(topology, tuple(observations), assumptions)


def find_linked_ports(interfaces: Sequence[Interface]) -> tuple[Port, ...]:
    """The QSFP ports of which at least one half has a link."""
    return tuple(
        port
        for port in PORTS
        if any(interface.port == port and interface.carrier for interface in interfaces)
    )


def _describe_ports(node: str, ports: tuple[Port, ...]) -> str:
    phrases = {0: "no QSFP port has a link", 1: "QSFP port {} has a link"}
    text = phrases.get(len(ports), "both QSFP ports have a link")
    return f"{node}: {text.format(*ports)}"


def _describe_half_links(node: str, interfaces: Sequence[Interface]) -> list[str]:
    """A port with a link on one half only carries half, and is broken."""
    messages = []
    for port in find_linked_ports(interfaces):
        dead = [
            interface.name
            for interface in interfaces
            if interface.port == port and not interface.carrier
        ]
        messages += [
            f"{node}: {name} has no link, but its other half has: reseat the cable" for name in dead
        ]
    return messages


def _describe_hidden(node: str, interfaces: Sequence[Interface]) -> list[str]:
    """An interface that is down shows no link, cable or not."""
    off = [
        interface.name
        for interface in interfaces
        if interface.port is not None and interface.state != "up"
    ]
    names = f"{', '.join(off)} are down and show no link, cable or not"
    return [f"{node}: {names}; run `sudo ip link set NAME up` to see it"] if off else []


def _judge(linked: list[tuple[Port, ...]]) -> tuple[Topology, tuple[str, ...]]:
    nodes, counts = len(linked), {len(ports) for ports in linked}
    if nodes == 1:
        return "none", _describe_single(linked[0])
    if counts == {0}:
        return "none", (
            "no cables; once they are plugged in, set topology and run `sparkform doctor`",
        )
    if 0 in counts:
        return "none", ("some nodes have a link and others have none: the topology is unclear",)
    if nodes == 2:
        return "direct", _describe_pair(counts)
    if nodes == 3 and counts == {2}:
        return "ring", ("port 0 of each leads to port 1 of the next one in this file",)
    if counts == {1}:
        return "switch", ("one switch for all: one cable each leaves nothing else to join them",)
    return "none", ("neither a ring of three nor one cable each: the topology is unclear",)


def _describe_single(ports: tuple[Port, ...]) -> tuple[str, ...]:
    if not ports:
        return ()
    return ("its link leads to a machine that is not in this file",)


def _describe_pair(counts: set[int]) -> tuple[str, ...]:
    assumptions = ["one cable between the two; a switch looks the same: set switch if there is one"]
    if 2 in counts:
        assumptions.append(
            "port 0 where both have a link: one cable is enough, a second adds nothing"
        )
    return tuple(assumptions)
