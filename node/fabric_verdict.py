"""From what was seen of each half of a link to the one likely cause, for people to act on. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.fabric_probe import Probe

Json = Mapping[str, Any]
Seen = Sequence[tuple[Json, Probe]]
SWITCH = "switch"


@dataclass(frozen=True)
class Ports:
    """This node's fabric interfaces: those that have a link, and those that are switched off, of
    which nobody can tell."""

    linked: tuple[str, ...]
    off: tuple[str, ...]


def verdicts(seen: Seen, ports: Ports, via: str) -> list[str]:
    """One sentence for each half that is not as it should be."""
    return [
        f"{_name(half)}: {cause}"
        for half, probe in seen
        if (cause := _cause(half, probe, seen, ports, via))
    ]


def _name(half: Json) -> str:
    here, there = half["interface"], f"{half['peer']} {half['peer_interface']}"
    return f"cable {half['cable']}, {half['node']} {here} to {there}"


def _cause(half: Json, probe: Probe, seen: Seen, ports: Ports, via: str) -> str | None:
    if not probe.exists:
        return f"this node has no interface {half['interface']}; `ip link` lists what it has"
    if not probe.carrier:
        return _no_link(half, seen, ports)
    if half["address"] not in probe.addresses:
        return f"address {half['address']} is missing on it; `pulumi up` sets it"
    return _own_end(half, probe) or _far_end(half, probe, seen, via)


def _no_link(half: Json, seen: Seen, ports: Ports) -> str:
    port, planned = port_of(half["interface"]), {one["interface"] for one, _ in seen}
    twin = next((one for one in ports.linked if port_of(one) == port), None)
    if twin:
        return f"half only: {twin} has a link and this one has none; reseat the cable at both ends"
    stray = next((one for one in ports.linked if one not in planned), None)
    if stray:
        return (
            f"wrong port: {half['node']} has its link on port {port_of(stray)}, the plan says "
            f"{port}; move the cable, or set qsfpPort"
        )
    hidden = sorted({port_of(one) for one in ports.off} - {port})
    elsewhere = f", or in port {hidden[0]}, which is switched off" if hidden else ""
    return f"no link: the cable is out at one end{elsewhere}, or {half['peer']} is off"


def _own_end(half: Json, probe: Probe) -> str | None:
    if probe.route != half["interface"]:
        return (
            f"the route to {half['peer_address']} leaves by {probe.route}; another network of this "
            "node overlaps the pool"
        )
    if half["mtu"] and probe.mtu != half["mtu"]:
        return f"MTU of {half['node']} is {probe.mtu}, {half['mtu']} is wanted; `pulumi up` sets it"
    wanted = half["speed_mbps"]
    if wanted and probe.speed_mbps is not None and probe.speed_mbps < wanted:
        return f"link speed is {probe.speed_mbps} Mb/s, {wanted} is wanted; try another cable"
    if probe.gid is False:
        return f"its RoCE device has no GID for {half['address']}; set the link down and up"
    return None


def _far_end(half: Json, probe: Probe, seen: Seen, via: str) -> str | None:
    if probe.small is False:
        return _no_answer(half, probe, seen)
    if probe.jumbo is False:
        return _no_jumbo(half, probe, seen, via)
    return None


def _no_answer(half: Json, probe: Probe, seen: Seen) -> str:
    peer, far = half["peer"], half["peer_interface"]
    nodes = {end.split()[0]: end.split()[-1] for end in probe.neighbours}
    if peer in nodes and nodes[peer] != far:
        return (
            f"wrong port: the cable ends in port {port_of(nodes[peer])} of {peer} "
            f"({nodes[peer]}), the plan says port {port_of(far)} ({far})"
        )
    strangers = sorted(set(nodes) - {peer})
    if strangers and peer not in nodes:
        end = f"{strangers[0]} {nodes[strangers[0]]}"
        return f"cabled wrongly: it leads to {end}, the plan says {peer} {far}"
    if _twin_answers(half, seen):
        return f"half only: the other half answers, this one does not; look at {far} of {peer}"
    return (
        f"{peer} does not answer on {half['peer_address']}: the cable leads to a port that is "
        f"switched off there, or `pulumi up` has not run on {peer}"
    )


def _twin_answers(half: Json, seen: Seen) -> bool:
    return any(
        one["cable"] == half["cable"] and one["peer"] == half["peer"] and probe.small
        for one, probe in seen
        if one["interface"] != half["interface"]
    )


def _no_jumbo(half: Json, probe: Probe, seen: Seen, via: str) -> str:
    size = half["mtu"] or probe.mtu
    lost = f"packets of {size} bytes are lost, small ones pass"
    if via != SWITCH:
        return f"{lost}; likely the MTU of {half['peer']} {half['peer_interface']} is smaller"
    others = [
        probe.jumbo
        for one, probe in seen
        if one["interface"] == half["interface"] and one["peer"] != half["peer"] and probe.small
    ]
    if any(others):
        return f"{lost}, and large ones pass to other nodes; likely the MTU of {half['peer']}"
    return f"{lost}; likely the MTU of the switch's ports is below {size} (or of {half['peer']})"


def port_of(interface: str) -> str:
    """
    >>> port_of("enP2p1s0f1np1")
    '1'
    """
    found = re.search(r"np(\d+)$", interface)
    return found.group(1) if found else "?"
