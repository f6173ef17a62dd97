"""What the check of each cable tries, from every end of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sparkform.fabric.network import Documents, FabricInterface, Network
from sparkform.fabric.topology import Cable
from sparkform.report.receipts import Decision

SPEED_MBPS = 200_000
"""What ethtool shows for each half of a good link (dgx-spark-playbooks, spark_cluster_setup.py)."""

ASKED_ON_A_SWITCH = 2

Want = Mapping[str, Any]


def check_want(
    cable: Cable,
    node: str,
    network: Network,
    documents: Documents,
    mtu: int | None,
    runs: Mapping[str, Mapping[str, object]],
) -> Want:
    """What `fabric_check` on one end is given.

    `runs` holds owner and run of `fabric_address` of this node and of each one that it asks: the
    check has no state of its own and runs again when what it looked at did.
    """
    asked = [name for name in runs if name != node]
    halves = [
        _half(cable, one, peer, mtu)
        for one in network.fabric[node]
        if one.planned.cable == cable.name
        for peer in _facing(one, asked, network)
    ]
    known = suspects(cable, node, asked, network)
    return {
        "halves": halves,
        "via": "cable" if cable.far else "switch",
        "planned": [one.name for one in network.fabric[node]],
        "known_addresses": _addresses([name for name in known if name != node], network),
        "ends": _ends(known, documents),
        "checked": dict(runs),
    }


def partners(cable: Cable, node: str, network: Network) -> tuple[str, ...]:
    """The nodes that this end asks when it is checked.

    On a switch everybody asks the first two that come before it, and the first one asks the second:
    all ports are tried, the switch's MTU is told from a node's (docs/design), and a node that is
    added changes nothing on those that were there.
    """
    if cable.far is not None:
        return tuple(end.node for end in cable.ends if end.node != node)
    names = [one.near.node for one in network.cables]
    before = names[: names.index(node)]
    return tuple(before[:ASKED_ON_A_SWITCH] or names[1:2])


def witnesses(cable: Cable, node: str, network: Network) -> tuple[str, ...]:
    """The nodes that this end asks when only looked at: nothing is recorded, so on a switch it asks
    two wherever there are three nodes."""
    if cable.far is not None:
        return partners(cable, node, network)
    others = [one.near.node for one in network.cables if one.near.node != node]
    return tuple(others[:ASKED_ON_A_SWITCH])


def suspects(cable: Cable, node: str, asked: Sequence[str], network: Network) -> tuple[str, ...]:
    """Whose ports the other end may really be: a cable's those of all nodes that are there, a
    switch's only those of the ones that are asked, so that a node that is added changes nothing."""
    if cable.far is not None:
        return tuple(network.fabric)
    return (node, *asked)


def run_of(owner: str, decision: Decision) -> dict[str, object]:
    return {"owner": owner, "run": decision.run}


def _facing(
    one: FabricInterface, asked: Sequence[str], network: Network
) -> Iterable[tuple[str, FabricInterface]]:
    for name, address in one.planned.peers:
        if name in asked:
            yield from (
                (name, far) for far in network.fabric[name] if far.planned.address == address
            )


def _half(
    cable: Cable, one: FabricInterface, peer: tuple[str, FabricInterface], mtu: int | None
) -> dict[str, object]:
    name, far = peer
    return {
        "node": one.planned.node,
        "cable": cable.name,
        "interface": one.name,
        "address": str(one.planned.address.ip),
        "peer": name,
        "peer_interface": far.name,
        "peer_address": str(far.planned.address.ip),
        "mtu": mtu,
        "speed_mbps": SPEED_MBPS,
    }


def _addresses(nodes: Iterable[str], network: Network) -> list[str]:
    return [str(one.planned.address.ip) for node in nodes for one in network.fabric[node]]


def _ends(nodes: Iterable[str], documents: Documents) -> dict[str, str]:
    """Hardware address to "<node> <interface>": tells whose port a cable really ends in."""
    return {
        one.mac: f"{node} {one.name}"
        for node in nodes
        for one in documents[node].facts.interfaces or ()
        if one.mac and one.port is not None
    }
