"""Links and cables: every half of every used port, judged as the step `fabric_check` judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from node import fabric_verdict, netplan
from node.fabric_probe import Probe
from sparkform.doctor.check import Check, View
from sparkform.doctor.probes import STEP, probe_of, wanted_mtu
from sparkform.facts import NodeDocument
from sparkform.planner.links import check_want, partners
from sparkform.planner.topology import Cable

Json = Mapping[str, Any]
Documents = Mapping[str, NodeDocument]
Seen = list[tuple[Json, Probe]]


def fabric(view: View, documents: Documents) -> Iterator[Check]:
    """A row for each of the node's cables, or for each half of it that is not as it should be."""
    for cable in view.plan.network.cables:
        if any(end.node == view.node.name for end in cable.ends):
            yield from _cable(view, cable, documents)


def _cable(view: View, cable: Cable, documents: Documents) -> Iterator[Check]:
    name, network = view.node.name, view.plan.network
    asked = partners(cable, name, network)
    missing = [one for one in asked if one not in network.management]
    if missing or not asked:
        why = f"{', '.join(missing)} is not there" if missing else "no other node is declared"
        yield view.warn("cable", f"{cable.name}: not tried, {why}", "see that node")
        return
    runs: dict[str, Json] = {one: {} for one in (name, *asked)}
    want = check_want(cable, name, network, documents, wanted_mtu(view.spec), runs)
    seen = [(half, probe_of(half, view.document, want["ends"])) for half in want["halves"]]
    said = fabric_verdict.verdicts(seen, _linked(view), want["via"])
    yield from _found(view, seen, said) if said else [_fine(view, cable, seen)]


def _found(view: View, seen: Seen, said: list[str]) -> Iterator[Check]:
    """Before this stack was brought up only a missing link is a fault: the rest is to be set."""
    is_cabled = all(probe.exists and probe.carrier for _, probe in seen)
    severe = view.warn if is_cabled and not view.is_ours else view.fail
    for sentence in said:
        cause, _, remedy = sentence.partition("; ")
        yield severe("cable", cause, remedy or "look at both ends of the cable")


def _fine(view: View, cable: Cable, seen: Seen) -> Check:
    speeds = {probe.speed_mbps for _, probe in seen}
    speed = f"{min(one or 0 for one in speeds)} Mb/s a half, " if None not in speeds else ""
    if any(probe.small is None for _, probe in seen):
        reasons = [one.why for one in view.document.unreadable if one.what == f"step {STEP}"]
        why = reasons[0] if reasons else "the recorded facts hold no try"
        said = f"{cable.name}: {speed}links are there; packets were not tried ({why})"
        return view.warn("cable", said, "run `sparkform doctor` with the nodes again")
    mtu = min(half["mtu"] or probe.mtu for half, probe in seen)
    return view.ok("cable", f"{cable.name}: {speed}packets of {mtu} bytes pass on both halves")


def _linked(view: View) -> list[str]:
    interfaces = view.facts.interfaces or ()
    return [one.name for one in interfaces if one.carrier and netplan.is_fabric(one.name)]
