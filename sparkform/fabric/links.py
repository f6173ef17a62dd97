"""What the check of each cable tries, from every end of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from node.network.halves import LinkHalf
from node.steps.fabric_check import Want
from sparkform.fabric.network import FabricInterface, Network, Reports
from sparkform.fabric.topology import Cable
from sparkform.report.facts import NodeReport
from sparkform.report.receipts import Decision

SPEED_MBPS = 200_000
"""What ethtool shows for each half of a good link (dgx-spark-playbooks, spark_cluster_setup.py)."""

PARTNERS_ON_A_SWITCH = 2


def build_check_want(
    cable: Cable,
    node: str,
    network: Network,
    reports: Reports,
    mtu: int | None,
    runs: Mapping[str, Mapping[str, object]],
    expected_gbps: int | None = None,
) -> Want:
    """What `fabric_check` on one end is given. `expected_gbps`: as declared.

    `runs` holds owner and run of `fabric_address` of this node and of each one that it asks: the
    check has no state of its own and runs again when what it checks does.
    """
    queried = [name for name in runs if name != node]
    halves = [
        _build_half(cable, interface, peer, mtu)
        for interface in network.fabric[node]
        if interface.planned.cable == cable.name
        for peer in _list_facing(interface, queried, network)
    ]
    if expected_gbps is None:
        halves = [expect_agreed_speed(half, reports) for half in halves]
    else:
        halves = [LinkHalf({**half, "speed_mbps": expected_gbps * 1000}) for half in halves]
    suspected = list_suspects(cable, node, queried, network)
    suspected_peers = [name for name in suspected if name != node]
    return Want(
        halves=tuple(halves),
        via="cable" if cable.far else "switch",
        planned=tuple(interface.name for interface in network.fabric[node]),
        known_addresses=tuple(_list_addresses(suspected_peers, network)),
        ends=_map_hardware_addresses(suspected, reports),
        checked=dict(runs),
    )


def expect_agreed_speed(half: LinkHalf, reports: Reports) -> LinkHalf:
    """A cable or switch of less than 200 Gb/s: where both ends agree, that is what is expected."""
    speeds = {
        _get_speed(half["interface"], reports.get(half["node"])),
        _get_speed(half["peer_interface"], reports.get(half["peer"])),
    }
    (speed,) = speeds if len(speeds) == 1 else (None,)
    return half if speed is None else {**half, "speed_mbps": min(speed, SPEED_MBPS)}


def _get_speed(name: str, report: NodeReport | None) -> int | None:
    interfaces = (report.facts.interfaces if report else None) or ()
    return next((item.speed_mbps for item in interfaces if item.name == name), None)


def list_partners(cable: Cable, node: str, network: Network) -> tuple[str, ...]:
    """The nodes that this end asks when it is checked.

    On a switch everybody asks the first two that come before it, and the first one asks the second:
    all ports are tried, the switch's MTU is known from a node's (docs/design), and a node that is
    added changes nothing on those that were there.
    """
    if cable.far is not None:
        return tuple(end.node for end in cable.ends if end.node != node)
    names = [cable_end.near.node for cable_end in network.cables]
    before = names[: names.index(node)]
    return tuple(before[:PARTNERS_ON_A_SWITCH] or names[1:2])


def list_witnesses(cable: Cable, node: str, network: Network) -> tuple[str, ...]:
    """The nodes that this end asks in a diagnosis: nothing is recorded, so on a switch it asks
    two wherever there are three nodes."""
    if cable.far is not None:
        return list_partners(cable, node, network)
    nodes = [
        cable_on_switch.near.node
        for cable_on_switch in network.cables
        if cable_on_switch.near.node != node
    ]
    return tuple(nodes[:PARTNERS_ON_A_SWITCH])


def list_suspects(
    cable: Cable, node: str, queried: Sequence[str], network: Network
) -> tuple[str, ...]:
    """Whose ports the other end may really be: a cable's those of all nodes that are there, a
    switch's only those of the ones that are asked, so that a node that is added changes nothing."""
    if cable.far is not None:
        return tuple(network.fabric)
    return (node, *queried)


def build_run_reference(owner: str, decision: Decision) -> dict[str, object]:
    return {"owner": owner, "run": decision.run}


def _list_facing(
    interface: FabricInterface, queried: Sequence[str], network: Network
) -> Iterable[tuple[str, FabricInterface]]:
    for name, address in interface.planned.peers:
        if name in queried:
            yield from (
                (name, far) for far in network.fabric[name] if far.planned.address == address
            )


def _build_half(
    cable: Cable, interface: FabricInterface, peer: tuple[str, FabricInterface], mtu: int | None
) -> LinkHalf:
    name, far = peer
    return LinkHalf(
        node=interface.planned.node,
        cable=cable.name,
        interface=interface.name,
        address=str(interface.planned.address.ip),
        peer=name,
        peer_interface=far.name,
        peer_address=str(far.planned.address.ip),
        mtu=mtu,
        speed_mbps=SPEED_MBPS,
    )


def _list_addresses(nodes: Iterable[str], network: Network) -> list[str]:
    return [
        str(interface.planned.address.ip) for node in nodes for interface in network.fabric[node]
    ]


def _map_hardware_addresses(nodes: Iterable[str], reports: Reports) -> dict[str, str]:
    """Hardware address to "<node> <interface>": tells whose port a cable really ends in."""
    return {
        interface.mac: f"{node} {interface.name}"
        for node in nodes
        for interface in reports[node].facts.interfaces or ()
        if interface.mac and interface.port is not None
    }
