"""What the check of each cable tries, from every end of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sparkform.planner.network import Documents, FabricInterface, Network
from sparkform.planner.receipts import Decision
from sparkform.planner.topology import Cable

SPEED_MBPS = 200_000
"""What ethtool shows for each half of a good link (dgx-spark-playbooks, spark_cluster_setup.py)."""

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

    `runs` holds owner and run of each node's `fabric_address`: the check has no state of its own
    and runs again when what it looked at did.
    """
    asked = partners(cable, node, network)
    halves = [
        _half(cable, one, peer, mtu)
        for one in network.fabric[node]
        if one.planned.cable == cable.name
        for peer in _facing(one, asked, network)
    ]
    known = suspects(cable, node, network)
    return {
        "halves": halves,
        "via": "cable" if cable.far else "switch",
        "known_addresses": _addresses([name for name in known if name != node], network),
        "ends": _ends(known, documents),
        "checked": {name: runs[name] for name in (node, *asked)},
    }


def partners(cable: Cable, node: str, network: Network) -> tuple[str, ...]:
    """The nodes that this end asks.

    On a switch everybody asks the first node and the first one asks the second: all ports are
    tried, and a node that is added changes nothing on those that were there.
    """
    if cable.far is not None:
        return tuple(end.node for end in cable.ends if end.node != node)
    others = [one.near.node for one in network.cables if one.near.node != node]
    return tuple(others[:1])


def suspects(cable: Cable, node: str, network: Network) -> tuple[str, ...]:
    """Whose ports the other end may really be: a cable's those of all nodes that are there, a
    switch's only those of the two, so that a node that is added changes nothing."""
    if cable.far is not None:
        return tuple(network.fabric)
    return (node, *partners(cable, node, network))


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
