"""Both halves of each link of this node, tried with full-size packets; nothing is changed.

want: {"halves": [{"node", "cable", "interface", "address", "peer", "peer_interface",
"peer_address", "mtu", "speed_mbps"}], "via": "cable" or "switch", "planned": interfaces that this
node uses for any cable, "known_addresses": other nodes' addresses, "ends": {hardware address:
"<node> <interface>"}, "checked": {node: {"owner", "run"} of its fabric_address}}.
`mtu` and `speed_mbps` null: as found. `checked` holds the receipts of what it looks at, which is
what makes it run again. A ping is there and back, so each end's check tries both directions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from node.errors import StepError
from node.host import links
from node.host.system import System
from node.network import fabric_probe, fabric_query, fabric_verdict, netplan
from node.state.manifest import Manifest
from node.steps.stateless import compare, get_disturbance, narrow

# After `netplan apply` an address answered, was away for seconds and answered again (seen with
# NetworkManager 1.42), the far node may be in the middle of its own, and a switch learns a port for
# some seconds.
SETTLE_S = 20.0
# What settling cannot explain is said sooner, if it is seen twice: a link that comes up may have
# its addresses for a moment before it has its MTU.
CONFIRM_S = 5.0
PAUSE_S = 1.0
Json = Mapping[str, Any]
__all__ = ["apply", "compare", "get_disturbance", "narrow", "observe"]


def observe(system: System, request: Json) -> dict[str, Any]:
    """It has no state of its own; a request for it tries packets (node.network.fabric_query)."""
    return {**fabric_query.query_probes(system, request)}


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    """Raises Refusal with a sentence for each half that fails, and goes on failing for a while."""
    started_s, previous_verdicts = time.monotonic(), None
    while verdicts := check_halves(manifest.system, want):
        limit_s = (
            CONFIRM_S
            if verdicts == previous_verdicts and all(verdict.is_lasting for verdict in verdicts)
            else SETTLE_S
        )
        if time.monotonic() - started_s > limit_s:
            raise StepError("\n".join(verdict.sentence for verdict in verdicts))
        previous_verdicts = verdicts
        time.sleep(PAUSE_S)
    return [f"cable {half['cable']}: {half['interface']} passes" for half in want["halves"]]


def check_halves(system: System, want: Json) -> list[fabric_verdict.LinkVerdict]:
    """One for each half that is not as wanted, as it is seen now."""
    current_links = links.read_links(system)
    halves = want["halves"]
    ends = fabric_probe.KnownEnds(tuple(want["known_addresses"]), want["ends"])
    with ThreadPoolExecutor(max_workers=max(1, len(halves))) as pool:
        probes = list(
            pool.map(
                lambda half: fabric_probe.probe_half(system, half, current_links, ends), halves
            )
        )
    fabric_links = [link for name, link in sorted(current_links.items()) if netplan.is_fabric(name)]
    ports = fabric_verdict.Ports(
        linked=tuple(link.name for link in fabric_links if link.carrier),
        off=tuple(link.name for link in fabric_links if not link.up),
        planned=tuple(want["planned"]),
    )
    probed_halves = list(zip(halves, probes, strict=True))
    return fabric_verdict.judge_halves(probed_halves, ports, want["via"])
