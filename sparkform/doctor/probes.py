"""The packets that a node is asked to try while it is observed, and its answer as probes. Pure.

Which interface carries which address is known only after the nodes were observed; the addresses
themselves follow from the declaration alone. So a node is asked by address
(node.network.fabric_query), and one exec a node stays enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from node.network.fabric_probe import HalfProbe, match_ends
from node.network.halves import LinkHalf
from sparkform.config import Declaration
from sparkform.doctor import engines
from sparkform.fabric.addressing import FabricAddress, assign_addresses
from sparkform.fabric.links import list_witnesses
from sparkform.fabric.network import Network
from sparkform.fabric.topology import Cable, Port, build_cables
from sparkform.report import probe_reports
from sparkform.report.facts import NodeReport
from sparkform.report.probe_reports import PACKETS, PacketReport, list_packet_reports
from sparkform.ssh.target import Target

STEP = PACKETS


ProbedHalf = tuple[LinkHalf, HalfProbe]


def add_probes(targets: Iterable[Target], declaration: Declaration) -> list[Target]:
    """The same targets, each with the packets to try over its halves of the fabric, and with the
    question for its engines."""
    return [_add_probes(target, declaration) for target in targets]


def _add_probes(target: Target, declaration: Declaration) -> Target:
    requests = {
        STEP: build_probe_request(declaration, target.name),
        probe_reports.READY: engines.build_ready_request(declaration, target.name),
    }
    step_requests = {step: step_request for step, step_request in requests.items() if step_request}
    return replace(target, steps={**target.steps, **step_requests}) if step_requests else target


def build_probe_request(declaration: Declaration, node: str) -> dict[str, object]:
    """What `fabric_check` of one node is asked; empty where it has no cable.

    The ports do not matter: the subnets of direct and switch are the same for both, and a ring
    uses both.
    """
    indexes = {member.name: member.index for member in declaration.nodes}
    names = sorted(indexes, key=indexes.__getitem__)
    ports: dict[str, Port] = dict.fromkeys(names, 0)
    rack_cables = build_cables(declaration.cluster.fabric.topology, names, ports)
    addresses = assign_addresses(rack_cables, declaration.fabric_subnets, indexes)
    probes = [
        {"address": address, "peer_address": peer, "mtu": get_wanted_mtu(declaration)}
        for cable in rack_cables
        for address, peer in _list_address_pairs(cable, node, rack_cables, addresses)
    ]
    other_addresses = [str(entry.address.ip) for entry in addresses if entry.node != node]
    return {"probes": probes, "known_addresses": other_addresses} if probes else {}


def get_wanted_mtu(declaration: Declaration) -> int | None:
    return None if declaration.fabric_mtu == "inherit" else declaration.fabric_mtu


def _list_address_pairs(
    cable: Cable, node: str, rack_cables: tuple[Cable, ...], addresses: Iterable[FabricAddress]
) -> list[tuple[str, str]]:
    witness_nodes = list_witnesses(cable, node, Network(rack_cables, {}, {}))
    return [
        (str(fabric_address.address.ip), str(peer.ip))
        for fabric_address in addresses
        if fabric_address.node == node and fabric_address.cable == cable.name
        for name, peer in fabric_address.peers
        if name in witness_nodes
    ]


def probe_halves(
    halves: Iterable[LinkHalf], report: NodeReport, ends: Mapping[str, str]
) -> list[ProbedHalf]:
    """Each half of a link as `node.network.fabric_verdict` judges it.

    `halves` are those of `fabric_check`'s want, `ends` maps hardware addresses to
    "<node> <interface>". The report's interfaces were read.
    """
    return [(half, build_probe(half, report, ends)) for half in halves]


def build_probe(half: LinkHalf, report: NodeReport, ends: Mapping[str, str]) -> HalfProbe:
    interfaces = {interface.name: interface for interface in report.facts.interfaces or ()}
    interface = interfaces.get(half["interface"])
    if interface is None:
        return HalfProbe(exists=False)
    answer = _find_answer(half, report)
    has_gid = half["address"] in interface.gid_addresses if interface.hca else None
    return HalfProbe(
        carrier=interface.carrier,
        mtu=interface.mtu or half["mtu"] or 0,
        addresses=tuple(address.partition("/")[0] for address in interface.addresses),
        speed_mbps=interface.speed_mbps,
        route=answer.route or half["interface"],
        small=answer.small,
        jumbo=answer.jumbo,
        gid=has_gid,
        neighbours=match_ends(answer.neighbours, ends),
    )


def _find_answer(half: LinkHalf, report: NodeReport) -> PacketReport:
    """The node's own answer about this half, an empty one where it has none."""
    for answer in list_packet_reports(report):
        if (answer.address, answer.peer_address) == (half["address"], half["peer_address"]):
            return answer
    return PacketReport(address=half["address"], peer_address=half["peer_address"])
