"""Both halves of each link of this node, tried with full-size packets; nothing is changed.

A ping is there and back, so each end's check tries both directions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from node.errors import StepError
from node.host import links
from node.host.system import System
from node.network import fabric_probe, fabric_query, fabric_verdict, netplan
from node.network.halves import LinkHalf
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec, find_no_difference, keep_want

# After `netplan apply` an address answered, was away for seconds and answered again (seen with
# NetworkManager 1.42), the far node may be in the middle of its own, and a switch learns a port for
# some seconds.
SETTLE_S = 20.0
# What settling cannot explain fails sooner, if it is seen twice: a link that comes up may have
# its addresses for a moment before it has its MTU.
CONFIRM_S = 5.0
PAUSE_S = 1.0


@dataclass(frozen=True)
class Want:
    """`via`: cable or switch. `planned`: the interfaces that this node uses for any cable.
    `known_addresses`: other nodes' addresses. `ends`: {hardware address: "<node> <interface>"}.
    `checked`: {node: {"owner", "run"} of its fabric_address}, which makes it run again."""

    halves: tuple[LinkHalf, ...]
    via: str
    planned: tuple[str, ...]
    known_addresses: tuple[str, ...]
    ends: Mapping[str, str]
    checked: Mapping[str, Mapping[str, object]]


def observe(system: System, request: StepRequest) -> dict[str, object]:
    """It has no state of its own; a request for it tries packets (node.network.fabric_query)."""
    return {**fabric_query.query_probes(system, request.raw)}


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """Raises StepError with a sentence for each half that fails, and goes on failing."""
    started_s, previous = time.monotonic(), None
    while verdicts := check_halves(manifest.system, want):
        is_certain = verdicts == previous and all(verdict.is_lasting for verdict in verdicts)
        if time.monotonic() - started_s > (CONFIRM_S if is_certain else SETTLE_S):
            raise StepError("\n".join(verdict.sentence for verdict in verdicts))
        previous = verdicts
        time.sleep(PAUSE_S)
    return [f"cable {half['cable']}: {half['interface']} passes" for half in want.halves]


def check_halves(system: System, want: Want) -> list[fabric_verdict.LinkVerdict]:
    """One for each half that is not as wanted, as it is seen now."""
    from concurrent.futures import ThreadPoolExecutor

    current_links = links.read_links(system)
    ends = fabric_probe.KnownEnds(want.known_addresses, want.ends)
    with ThreadPoolExecutor(max_workers=max(1, len(want.halves))) as pool:
        probes = list(
            pool.map(
                lambda half: fabric_probe.probe_half(system, half, current_links, ends), want.halves
            )
        )
    fabric_links = [link for name, link in sorted(current_links.items()) if netplan.is_fabric(name)]
    ports = fabric_verdict.Ports(
        linked=tuple(link.name for link in fabric_links if link.carrier),
        off=tuple(link.name for link in fabric_links if not link.up),
        planned=want.planned,
    )
    return fabric_verdict.judge_halves(list(zip(want.halves, probes, strict=True)), ports, want.via)


SPEC = StepSpec(
    name="fabric_check",
    want=Want,
    observed=dict,
    observe=observe,
    narrow=keep_want,
    compare=find_no_difference,
    apply=apply,
    phrase="will be tried with full-size packets",
    is_probe=True,
    has_absence_row=True,
)
