"""Packets over the fabric's halves, sent while observing; nothing is changed.

Before a node is observed only the addresses are known, not which interface carries them: so the
request names addresses, and the answer the interface. The control side puts it beside both ends'
facts and judges with `node.network.fabric_verdict`, as the step's own check does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypedDict

from node.host import links
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.network.fabric_probe import HalfProbe, KnownEnds, list_neighbour_macs, probe_half
from node.network.halves import PeerAnswer, ProbeTarget


class ProbeAnswers(TypedDict, total=False):
    """Empty where no probe was requested."""

    probes: list[PeerAnswer]


def query_probes(system: System, request: Mapping[str, object]) -> ProbeAnswers:
    """`request["probes"]`: [{"address": own, "peer_address", "mtu": bytes or null}], and
    `request["known_addresses"]`: who else may be at the end of a cable."""
    probes = [_parse_probe(probe) for probe in as_list(request.get("probes"))]
    if not probes:
        return {}
    links_now = links.read_links(system)
    addresses = tuple(str(address) for address in as_list(request.get("known_addresses")))
    with ThreadPoolExecutor(max_workers=len(probes)) as pool:
        answers = pool.map(lambda probe: _query_probe(system, probe, links_now, addresses), probes)
        return {"probes": list(answers)}


def _parse_probe(probe: object) -> ProbeTarget:
    """Without its interface, which the node itself knows."""
    fields = as_mapping(probe)
    return ProbeTarget(
        interface="",
        address=str(fields["address"]),
        peer_address=str(fields["peer_address"]),
        mtu=fields.get("mtu"),
    )


def _query_probe(
    system: System,
    target: ProbeTarget,
    links_now: Mapping[str, links.HostLink],
    addresses: tuple[str, ...],
) -> PeerAnswer:
    name = _find_interface(links_now, target["address"])
    if name is None:
        return _build_answer(target, None, HalfProbe(), ())
    half = ProbeTarget({**target, "interface": name})
    result = probe_half(system, half, links_now, KnownEnds(addresses))
    macs = list_neighbour_macs(system, name) if result.small is False else ()
    return _build_answer(target, name, result, macs)


def _build_answer(
    target: ProbeTarget, interface: str | None, result: HalfProbe, macs: Sequence[str]
) -> PeerAnswer:
    return PeerAnswer(
        address=target["address"],
        peer_address=target["peer_address"],
        interface=interface,
        route=result.route,
        small=result.small,
        jumbo=result.jumbo,
        neighbours=list(macs),
    )


def _find_interface(links_now: Mapping[str, links.HostLink], address: str) -> str | None:
    for name, link in links_now.items():
        if address in [cidr.partition("/")[0] for cidr in link.ipv4]:
            return name
    return None
