"""From what was seen of each half of a link to the one likely cause, for people to act on. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.network.fabric_probe import Probe

Json = Mapping[str, Any]
Seen = Sequence[tuple[Json, Probe]]
SWITCH = "switch"


@dataclass(frozen=True)
class Ports:
    """This node's fabric interfaces: those that have a link, those that are switched off, of which
    nobody can tell, and those that the plan uses, for whichever cable."""

    linked: tuple[str, ...]
    off: tuple[str, ...]
    planned: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """A sentence for people. `lasts`: what was seen proves it, so that waiting does not mend it;
    otherwise a link that is still settling looks the same."""

    sentence: str
    lasts: bool = False


def verdicts(seen: Seen, ports: Ports, via: str) -> list[Verdict]:
    """One for each cause on each half that is not as it should be."""
    found: dict[tuple[str, str], Verdict] = {}
    for half, probe in seen:
        if cause := _cause(half, probe, seen, ports, via):
            said = Verdict(f"{_name(half)}: {cause.sentence}", cause.lasts)
            found.setdefault((half["interface"], cause.sentence), said)
    return list(found.values())


def _name(half: Json) -> str:
    here, there = half["interface"], f"{half['peer']} {half['peer_interface']}"
    return f"cable {half['cable']}, {half['node']} {here} to {there}"


def _cause(half: Json, probe: Probe, seen: Seen, ports: Ports, via: str) -> Verdict | None:
    if not probe.exists:
        missing = f"this node has no interface {half['interface']}; `ip link` lists what it has"
        return Verdict(missing, lasts=True)
    if not probe.carrier:
        return _no_link(half, ports, via)
    if half["address"] not in probe.addresses:
        return Verdict(f"address {half['address']} is missing on it; `pulumi up` sets it")
    return _own_end(half, probe) or _far_end(half, probe, seen, via)


def _no_link(half: Json, ports: Ports, via: str) -> Verdict:
    port = port_of(half["interface"])
    twin = next((one for one in ports.linked if port_of(one) == port), None)
    if twin:
        said = f"half only: {twin} has a link and this one has none; reseat the cable at both ends"
        return Verdict(said)
    stray = next((one for one in ports.linked if one not in ports.planned), None)
    if stray:
        said = (
            f"wrong port: {half['node']} has its link on port {port_of(stray)}, the plan says "
            f"{port}; move the cable, or set qsfpPort"
        )
        return Verdict(said, lasts=True)
    unused = set(ports.off) - set(ports.planned)
    hidden = sorted({port_of(one) for one in unused} - {port})
    elsewhere = f", or in port {hidden[0]}, which is switched off" if hidden else ""
    far = "the switch" if via == SWITCH else half["peer"]
    return Verdict(f"no link: the cable is out at one end{elsewhere}, or {far} is off")


def _own_end(half: Json, probe: Probe) -> Verdict | None:
    if probe.route != half["interface"]:
        return Verdict(
            f"the route to {half['peer_address']} leaves by {probe.route}; another network of this "
            "node overlaps the pool"
        )
    if half["mtu"] and probe.mtu != half["mtu"]:
        mtu = f"MTU of {half['node']} is {probe.mtu}, {half['mtu']} is wanted"
        return Verdict(f"{mtu}; `pulumi up` sets it", lasts=True)
    wanted = half["speed_mbps"]
    if wanted and probe.speed_mbps is not None and probe.speed_mbps < wanted:
        speed = f"link speed is {probe.speed_mbps} Mb/s, {wanted} is wanted"
        return Verdict(f"{speed}; try another cable", lasts=True)
    if probe.gid is False:
        missing = f"its RoCE device has no GID for {half['address']}"
        return Verdict(f"{missing}; set the link down and up")
    return None


def _far_end(half: Json, probe: Probe, seen: Seen, via: str) -> Verdict | None:
    if probe.small is False:
        return _elsewhere(half, probe, via) or Verdict(_no_answer(half, seen))
    if probe.jumbo is False:
        return Verdict(_no_jumbo(half, probe, seen, via), lasts=True)
    return None


def _elsewhere(half: Json, probe: Probe, via: str) -> Verdict | None:
    """Told by whose hardware addresses answer. Of the peer only another port counts, since a node
    answers for all its addresses on any link that hears; behind a switch all links hear."""
    peer, far = half["peer"], half["peer_interface"]
    ends = [end.split() for end in probe.neighbours]
    of_peer = [name for node, name in ends if node == peer]
    if of_peer and port_of(far) not in map(port_of, of_peer):
        said = (
            f"wrong port: the cable ends in port {port_of(of_peer[0])} of {peer} "
            f"({of_peer[0]}), the plan says port {port_of(far)} ({far})"
        )
        return Verdict(said, lasts=True)
    if ends and not of_peer and via != SWITCH:
        end = " ".join(ends[0])
        said = f"cabled wrongly: it leads to {end}, the plan says {peer} {far}"
        return Verdict(said, lasts=True)
    return None


def _no_answer(half: Json, seen: Seen) -> str:
    peer, far = half["peer"], half["peer_interface"]
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
    switch = f"{lost}; likely the MTU of the switch's ports is below {size}"
    return switch if others else f"{switch} (or of {half['peer']})"


def port_of(interface: str) -> str:
    """
    >>> port_of("enP2p1s0f1np1")
    '1'
    """
    found = re.search(r"np(\d+)$", interface)
    return found.group(1) if found else "?"
