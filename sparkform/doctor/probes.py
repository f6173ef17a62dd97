"""The packets that a node is asked to try while it is observed, and its answer as probes. Pure.

Which interface carries which address is known only after the nodes were observed; the addresses
themselves follow from the declaration alone. So a node is asked by address
(node.network.fabric_query), and one exec a node stays enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from node.host.plain import listing, mapping
from node.network.fabric_probe import Probe, ends_of
from sparkform.config import Spec
from sparkform.doctor import engines
from sparkform.fabric.addressing import FabricAddress, fabric_addresses
from sparkform.fabric.links import witnesses
from sparkform.fabric.network import Network
from sparkform.fabric.topology import Cable, Port, cables
from sparkform.report.facts import NodeDocument
from sparkform.ssh.target import Target

STEP = "fabric_check"
Json = Mapping[str, Any]


def with_probes(targets: Iterable[Target], spec: Spec) -> list[Target]:
    """The same targets, each with the packets to try over its halves of the fabric, and with the
    question for its engines."""
    return [_with_probes(target, spec) for target in targets]


def _with_probes(target: Target, spec: Spec) -> Target:
    asked = {STEP: request(spec, target.name), engines.STEP: engines.request(spec, target.name)}
    wanted = {step: one for step, one in asked.items() if one}
    return replace(target, steps={**target.steps, **wanted}) if wanted else target


def request(spec: Spec, node: str) -> dict[str, object]:
    """What `fabric_check` of one node is asked; empty where it has no cable.

    The ports do not matter: the subnets of direct and switch are the same for both, and a ring
    uses both.
    """
    names = [one.name for one in sorted(spec.nodes, key=lambda one: one.index)]
    ports: dict[str, Port] = dict.fromkeys(names, 0)
    laid = cables(spec.cluster.fabric.topology, names, ports)
    indexes = {one.name: one.index for one in spec.nodes}
    addresses = fabric_addresses(laid, spec.fabric_subnets, indexes)
    asked = [
        {"address": own, "peer_address": peer, "mtu": wanted_mtu(spec)}
        for cable in laid
        for own, peer in _pairs(cable, node, laid, addresses)
    ]
    others = [str(one.address.ip) for one in addresses if one.node != node]
    return {"probes": asked, "known_addresses": others} if asked else {}


def wanted_mtu(spec: Spec) -> int | None:
    return None if spec.fabric_mtu == "inherit" else spec.fabric_mtu


def _pairs(
    cable: Cable, node: str, laid: tuple[Cable, ...], addresses: Iterable[FabricAddress]
) -> list[tuple[str, str]]:
    asked = witnesses(cable, node, Network(laid, {}, {}))
    return [
        (str(one.address.ip), str(peer.ip))
        for one in addresses
        if one.node == node and one.cable == cable.name
        for name, peer in one.peers
        if name in asked
    ]


def probe_of(half: Json, document: NodeDocument, ends: Json) -> Probe:
    """One half of a link as `node.network.fabric_verdict` judges it.

    `half` is that of `fabric_check`'s want, `ends` maps hardware addresses to "<node> <interface>".
    """
    found = {one.name: one for one in document.facts.interfaces or ()}.get(half["interface"])
    if found is None:
        return Probe(exists=False)
    said = _said(half, document)
    has_gid = half["address"] in found.gid_addresses if found.hca else None
    return Probe(
        carrier=found.carrier,
        mtu=found.mtu or 0,
        addresses=tuple(one.partition("/")[0] for one in found.addresses),
        speed_mbps=found.speed_mbps,
        route=said.get("route") or half["interface"],
        small=said.get("small"),
        jumbo=said.get("jumbo"),
        gid=has_gid,
        neighbours=ends_of(listing(said.get("neighbours")), ends),
    )


def _said(half: Json, document: NodeDocument) -> Json:
    """The node's own answer about this half, empty where it has none."""
    answers = listing(mapping(document.steps.get(STEP)).get("probes"))
    pair = (half["address"], half["peer_address"])
    told = (one for one in answers if (one.get("address"), one.get("peer_address")) == pair)
    return mapping(next(told, None))
