"""From the probes of each half of a link to the one likely cause, for people to act on. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from node.network.fabric_probe import HalfProbe
from node.network.halves import LinkHalf

HalfProbes = Sequence[tuple[LinkHalf, HalfProbe]]
SWITCH = "switch"


@dataclass(frozen=True)
class Ports:
    """This node's fabric interfaces: those that have a link, those that are down, whose cables are
    unknown, and those that the plan uses for any cable."""

    linked: tuple[str, ...]
    off: tuple[str, ...]
    planned: tuple[str, ...]


@dataclass(frozen=True)
class LinkVerdict:
    """A sentence for people. `is_lasting`: the probes prove it, so waiting does not help; otherwise
    a link that is still settling looks the same."""

    sentence: str
    is_lasting: bool = False


def judge_halves(probes: HalfProbes, ports: Ports, via: str) -> list[LinkVerdict]:
    """One for each cause on each half that is not as planned."""
    verdict_by_cause: dict[tuple[str, str], LinkVerdict] = {}
    for half, probe in probes:
        if cause := _find_cause(half, probe, probes, ports, via):
            verdict = LinkVerdict(f"{_format_half(half)}: {cause.sentence}", cause.is_lasting)
            verdict_by_cause.setdefault((half["interface"], cause.sentence), verdict)
    return list(verdict_by_cause.values())


def _format_half(half: LinkHalf) -> str:
    interface, peer_end = half["interface"], f"{half['peer']} {half['peer_interface']}"
    return f"cable {half['cable']}, {half['node']} {interface} to {peer_end}"


def _find_cause(
    half: LinkHalf, probe: HalfProbe, probes: HalfProbes, ports: Ports, via: str
) -> LinkVerdict | None:
    if not probe.exists:
        missing = f"this node has no interface {half['interface']}; `ip link` lists what it has"
        return LinkVerdict(missing, is_lasting=True)
    if not probe.carrier:
        return _explain_no_link(half, ports, via)
    if half["address"] not in probe.addresses:
        return LinkVerdict(f"address {half['address']} is missing on it; `pulumi up` sets it")
    return _check_own_end(half, probe) or _check_far_end(half, probe, probes, via)


def _explain_no_link(half: LinkHalf, ports: Ports, via: str) -> LinkVerdict:
    port = parse_port(half["interface"])
    twin = next((interface for interface in ports.linked if parse_port(interface) == port), None)
    if twin:
        sentence = (
            f"half only: {twin} has a link and this one has none; reseat the cable at both ends"
        )
        return LinkVerdict(sentence)
    stray = next((interface for interface in ports.linked if interface not in ports.planned), None)
    if stray:
        sentence = (
            f"wrong port: {half['node']} has its link on port {parse_port(stray)}, the plan says "
            f"{port}; move the cable, or set qsfpPort"
        )
        return LinkVerdict(sentence, is_lasting=True)
    unused = set(ports.off) - set(ports.planned)
    hidden = sorted({parse_port(interface) for interface in unused} - {port})
    elsewhere = f", or in port {hidden[0]}, which is switched off" if hidden else ""
    far_end = "the switch" if via == SWITCH else half["peer"]
    return LinkVerdict(f"no link: the cable is out at one end{elsewhere}, or {far_end} is off")


def _check_own_end(half: LinkHalf, probe: HalfProbe) -> LinkVerdict | None:
    if probe.route != half["interface"]:
        return LinkVerdict(
            f"the route to {half['peer_address']} leaves by {probe.route}; another network of this "
            "node overlaps the pool"
        )
    if half["mtu"] and probe.mtu != half["mtu"]:
        mtu = f"MTU of {half['node']} is {probe.mtu}, expected {half['mtu']}"
        return LinkVerdict(f"{mtu}; `pulumi up` sets it", is_lasting=True)
    expected = half["speed_mbps"]
    if expected and probe.speed_mbps is not None and probe.speed_mbps < expected:
        speed = f"link speed is {probe.speed_mbps} Mb/s, expected {expected}"
        return LinkVerdict(f"{speed}; try another cable", is_lasting=True)
    if probe.gid is False:
        missing = f"its RoCE device has no GID for {half['address']}"
        return LinkVerdict(f"{missing}; set the link down and up")
    return None


def _check_far_end(
    half: LinkHalf, probe: HalfProbe, probes: HalfProbes, via: str
) -> LinkVerdict | None:
    if probe.small is False:
        return _find_wrong_end(half, probe, via) or LinkVerdict(_explain_no_answer(half, probes))
    if probe.jumbo is False:
        return LinkVerdict(_explain_lost_jumbo(half, probe, probes, via), is_lasting=True)
    return None


def _find_wrong_end(half: LinkHalf, probe: HalfProbe, via: str) -> LinkVerdict | None:
    """From whose hardware addresses answer. Of the peer only another port counts, since a node
    answers for all its addresses on any link that hears; behind a switch all links hear."""
    peer, peer_interface = half["peer"], half["peer_interface"]
    ends = [end.split() for end in probe.neighbours]
    of_peer = [name for node, name in ends if node == peer]
    if of_peer and parse_port(peer_interface) not in map(parse_port, of_peer):
        sentence = (
            f"wrong port: the cable ends in port {parse_port(of_peer[0])} of {peer} "
            f"({of_peer[0]}), the plan says port {parse_port(peer_interface)} ({peer_interface})"
        )
        return LinkVerdict(sentence, is_lasting=True)
    if ends and not of_peer and via != SWITCH:
        end = " ".join(ends[0])
        sentence = f"wrong cabling: the cable leads to {end}, the plan says {peer} {peer_interface}"
        return LinkVerdict(sentence, is_lasting=True)
    return None


def _explain_no_answer(half: LinkHalf, probes: HalfProbes) -> str:
    peer, peer_interface = half["peer"], half["peer_interface"]
    if _is_twin_answering(half, probes):
        return (
            f"half only: the other half answers, this one does not; check "
            f"{peer_interface} of {peer}"
        )
    return (
        f"{peer} does not answer on {half['peer_address']}: the cable leads to a port that is "
        f"switched off there, or `pulumi up` has not run on {peer}"
    )


def _is_twin_answering(half: LinkHalf, probes: HalfProbes) -> bool:
    return any(
        other_half["cable"] == half["cable"] and other_half["peer"] == half["peer"] and probe.small
        for other_half, probe in probes
        if other_half["interface"] != half["interface"]
    )


def _explain_lost_jumbo(half: LinkHalf, probe: HalfProbe, probes: HalfProbes, via: str) -> str:
    size = half["mtu"] or probe.mtu
    lost = f"packets of {size} bytes are lost, small ones pass"
    if via != SWITCH:
        return f"{lost}; likely the MTU of {half['peer']} {half['peer_interface']} is smaller"
    jumbo_results = [
        probe.jumbo
        for other_half, probe in probes
        if other_half["interface"] == half["interface"]
        and other_half["peer"] != half["peer"]
        and probe.small
    ]
    if any(jumbo_results):
        return f"{lost}, and large ones pass to other nodes; likely the MTU of {half['peer']}"
    switch = f"{lost}; likely the MTU of the switch's ports is below {size}"
    return switch if jumbo_results else f"{switch} (or of {half['peer']})"


def parse_port(interface: str) -> str:
    """
    >>> parse_port("enP2p1s0f1np1")
    '1'
    """
    match = re.search(r"np(\d+)$", interface)
    return match.group(1) if match else "?"
