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
from node.host.plain import listing, mapping
from node.host.system import System
from node.network import fabric_probe

Json = Mapping[str, Any]


def look(system: System, request: Json) -> dict[str, Any]:
    """`request["probes"]`: [{"address": own, "peer_address", "mtu": bytes or null}], and
    `request["known_addresses"]`: whom to ask where a peer does not answer.

    {"probes": [{"address", "peer_address", "interface", "route", "small", "jumbo", "neighbours"}]},
    `interface` null where the address is on none; `neighbours` are hardware addresses. Without
    `probes` no packet is sent and the answer is empty.
    """
    asked = [mapping(one) for one in listing(request.get("probes"))]
    if not asked:
        return {}
    now = links.read(system)
    known = [str(one) for one in listing(request.get("known_addresses"))]
    with ThreadPoolExecutor(max_workers=len(asked)) as pool:
        return {"probes": list(pool.map(lambda one: _probe(system, one, now, known), asked))}


def _probe(
    system: System, asked: Json, now: Mapping[str, links.Link], known: list[str]
) -> dict[str, Any]:
    name = _holder(now, asked["address"])
    said = {"address": asked["address"], "peer_address": asked["peer_address"], "interface": name}
    if name is None:
        return {**said, "route": None, "small": None, "jumbo": None, "neighbours": []}
    half = {**asked, "interface": name}
    seen = fabric_probe.probe(system, half, now, {"known_addresses": known, "ends": {}})
    macs = fabric_probe.heard_macs(system, name) if seen.small is False else ()
    return {
        **said,
        "route": seen.route,
        "small": seen.small,
        "jumbo": seen.jumbo,
        "neighbours": list(macs),
    }


def _holder(now: Mapping[str, links.Link], address: str) -> str | None:
    for name, link in now.items():
        if address in [one.partition("/")[0] for one in link.ipv4]:
            return name
    return None
