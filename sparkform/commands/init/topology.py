"""How the nodes are cabled, as far as links tell. Pure.

Before there are addresses only this can be read: which ports have a link. What is at the other end
cannot (Sparks send no LLDP of their own), so the rest is an assumption, and is said to be one;
`fabric_check` proves or refutes it at the first `pulumi up`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkform.fabric.topology import Port, Topology
from sparkform.report.facts import Interface

PORTS: tuple[Port, Port] = (0, 1)


@dataclass(frozen=True)
class Detected:
    """`seen`: what was read. `assumed`: what was not, and could be otherwise."""

    topology: Topology
    seen: tuple[str, ...]
    assumed: tuple[str, ...]


def detect(interfaces: Mapping[str, Sequence[Interface]]) -> Detected:
    """`interfaces` by node name, the head first."""
    linked = {node: linked_ports(own) for node, own in interfaces.items()}
    seen = [_ports_seen(node, ports) for node, ports in linked.items()]
    seen += [text for node, own in interfaces.items() for text in _half_links(node, own)]
    seen += [text for node, own in interfaces.items() for text in _hidden(node, own)]
    topology, assumed = _judge(list(linked.values()))
    return Detected(topology, tuple(seen), assumed)


def linked_ports(interfaces: Sequence[Interface]) -> tuple[Port, ...]:
    """The QSFP ports of which at least one half has a link."""
    return tuple(
        port for port in PORTS if any(one.port == port and one.carrier for one in interfaces)
    )


def _ports_seen(node: str, ports: tuple[Port, ...]) -> str:
    words = {0: "no QSFP port has a link", 1: "QSFP port {} has a link"}
    text = words.get(len(ports), "both QSFP ports have a link")
    return f"{node}: {text.format(*ports)}"


def _half_links(node: str, interfaces: Sequence[Interface]) -> list[str]:
    """A port with a link on one half only carries half, and is broken."""
    found = []
    for port in linked_ports(interfaces):
        dead = [one.name for one in interfaces if one.port == port and not one.carrier]
        found += [f"{node}: {name} has no link, its other half has: reseat it" for name in dead]
    return found


def _hidden(node: str, interfaces: Sequence[Interface]) -> list[str]:
    """An interface that is switched off shows no link, cable or not."""
    off = [one.name for one in interfaces if one.port is not None and one.state != "up"]
    many = f"{', '.join(off)} are switched off and show no link, cable or not"
    return [f"{node}: {many}; `sudo ip link set NAME up` lets it be seen"] if off else []


def _judge(linked: list[tuple[Port, ...]]) -> tuple[Topology, tuple[str, ...]]:
    nodes, counts = len(linked), {len(ports) for ports in linked}
    if nodes == 1:
        return "none", _alone(linked[0])
    if counts == {0}:
        return "none", ("no cables; with cables in, set topology and run `sparkform doctor`",)
    if 0 in counts:
        return "none", ("some nodes have a link and others have none: which is meant is not clear",)
    if nodes == 2:
        return "direct", _pair(counts)
    if nodes == 3 and counts == {2}:
        return "ring", ("port 0 of each leads to port 1 of the next one in this file",)
    if counts == {1}:
        return "switch", ("one switch for all: one cable each leaves nothing else to join them",)
    return "none", ("neither a ring of three nor one cable each: which is meant is not clear",)


def _alone(ports: tuple[Port, ...]) -> tuple[str, ...]:
    if not ports:
        return ()
    return ("its link leads to something that is not in this file",)


def _pair(counts: set[int]) -> tuple[str, ...]:
    said = ["one cable between the two; a switch looks the same from here: then set switch"]
    if 2 in counts:
        said.append("port 0 where both have a link: one cable is enough, a second adds nothing")
    return tuple(said)
