"""Packets over the fabric's halves, tried while observing; nothing is changed.

Before a node is observed only the addresses are known, not which interface carries them: so it is
asked by address, and says which interface it used. The control side puts the answer beside both
ends' facts and judges with `node.network.fabric_verdict`, as the step's own check does.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from node.host import links
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.network import fabric_probe

Json = Mapping[str, Any]


def query_probes(system: System, request: Json) -> dict[str, Any]:
    """`request["probes"]`: [{"address": own, "peer_address", "mtu": bytes or null}], and
    `request["known_addresses"]`: whom to ask where a peer does not answer.

    {"probes": [{"address", "peer_address", "interface", "route", "small", "jumbo", "neighbours"}]},
    `interface` null where the address is on none; `neighbours` are hardware addresses. Without
    `probes` no packet is sent and the answer is empty.
    """
    probes = [as_mapping(probe) for probe in as_list(request.get("probes"))]
    if not probes:
        return {}
    links_now = links.read_links(system)
    known_addresses = [str(probe) for probe in as_list(request.get("known_addresses"))]
    with ThreadPoolExecutor(max_workers=len(probes)) as pool:
        return {
            "probes": list(
                pool.map(
                    lambda probe: _query_probe(system, probe, links_now, known_addresses), probes
                )
            )
        }


def _query_probe(
    system: System,
    request: Json,
    links_now: Mapping[str, links.HostLink],
    known_addresses: list[str],
) -> dict[str, Any]:
    name = _find_interface(links_now, request["address"])
    identity = {
        "address": request["address"],
        "peer_address": request["peer_address"],
        "interface": name,
    }
    if name is None:
        return {**identity, "route": None, "small": None, "jumbo": None, "neighbours": []}
    half = {**request, "interface": name}
    result = fabric_probe.probe_half(
        system, half, links_now, {"known_addresses": known_addresses, "ends": {}}
    )
    macs = fabric_probe.list_neighbour_macs(system, name) if result.small is False else ()
    return {
        **identity,
        "route": result.route,
        "small": result.small,
        "jumbo": result.jumbo,
        "neighbours": list(macs),
    }


def _find_interface(links_now: Mapping[str, links.HostLink], address: str) -> str | None:
    for name, link in links_now.items():
        if address in [cidr.partition("/")[0] for cidr in link.ipv4]:
            return name
    return None
