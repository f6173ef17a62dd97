"""What is measured of each cable, from which end, and what of 200 Gb/s there is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sparkform.fabric.links import SPEED_MBPS
from sparkform.fabric.network import FabricInterface, Network, Reports
from sparkform.report.facts import Interface, MeasuredCable, NodeReport

HEALTHY_GBPS = 184.0
"""Below what NVIDIA's Sync takes a link for slow; good ones give 190 to 196."""

FULL_GBPS = SPEED_MBPS / 1000


@dataclass(frozen=True)
class CablePair:
    """One cable with the end that sends and the one that serves; behind a switch the first node
    serves all others."""

    cable: str
    sender: str
    server: str


def list_pairs(network: Network) -> list[CablePair]:
    present = [cable for cable in network.cables if cable.near.node in network.management]
    return [
        CablePair(cable.name, far, cable.near.node)
        for cable in present
        for far in [cable.far.node if cable.far else ""]
        if far in network.management
    ] + [
        CablePair(cable.name, cable.near.node, present[0].near.node)
        for cable in present[1:]
        if cable.far is None
    ]


def build_halves(
    pair: CablePair, node: str, network: Network, reports: Reports
) -> list[dict[str, object]]:
    """What `node`, one of the two, is asked to measure: each half with its peer's address."""
    peer = pair.server if node == pair.sender else pair.sender
    hcas = {interface.name: interface.hca for interface in _list_interfaces(reports.get(node))}
    return [
        {
            "interface": half.name,
            "hca": hcas.get(half.name),
            "address": str(half.planned.address.ip),
            "peer_address": address,
        }
        for half in network.fabric[node]
        if (address := _find_peer_address(half, peer)) is not None
    ]


def _find_peer_address(half: FabricInterface, peer: str) -> str | None:
    return next((str(address.ip) for name, address in half.planned.peers if name == peer), None)


def _list_interfaces(report: NodeReport | None) -> Iterable[Interface]:
    return (report.facts.interfaces if report else None) or ()


def find_link_share(nodes: Iterable[str], network: Network | None, reports: Reports) -> float:
    """Of a full port's bandwidth, what the slowest of these nodes has: as measured, else as its
    links say; 1 where nothing is known."""
    if network is None:
        return 1.0
    shares = [share for node in nodes for share in _list_shares(node, network, reports.get(node))]
    return min(shares, default=1.0)


def _list_shares(node: str, network: Network, report: NodeReport | None) -> Iterator[float]:
    names = {half.name for half in network.fabric.get(node, ())}
    for interface in _list_interfaces(report):
        if interface.name in names and interface.speed_mbps:
            yield min(1.0, interface.speed_mbps / SPEED_MBPS)
    for measured in list_measured(report, network):
        yield min(1.0, measured.both_gbps / HEALTHY_GBPS)


def list_measured(report: NodeReport | None, network: Network) -> list[MeasuredCable]:
    """What was measured of the cables that are there now."""
    names = {cable.name for cable in network.cables}
    measured = (report.facts.bandwidth if report else None) or ()
    return [bandwidth for bandwidth in measured if bandwidth.cable in names]
