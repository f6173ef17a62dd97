"""Links and cables: every half of every used port, judged as the step `fabric_check` judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from node.network import fabric_verdict, netplan
from node.network.fabric_probe import Probe
from sparkform.doctor.check import Check, View
from sparkform.doctor.probes import STEP, probe_of, wanted_mtu
from sparkform.fabric.links import check_want, witnesses
from sparkform.fabric.topology import Cable
from sparkform.report.facts import NodeDocument

Json = Mapping[str, Any]
Documents = Mapping[str, NodeDocument]
Seen = list[tuple[Json, Probe]]
ACTIVE = "ACTIVE"
"""State of an RDMA port that carries traffic (kernel ABI, sysfs-class-infiniband)."""


def fabric(view: View, documents: Documents) -> Iterator[Check]:
    """A row for each of the node's cables, or for each half of it that is not as it should be."""
    yield from rdma(view)
    for cable in view.plan.network.cables:
        if any(end.node == view.node.name for end in cable.ends):
            yield from _cable(view, cable, documents)


def rdma(view: View) -> Iterator[Check]:
    """A RoCE device on each used half: without one NCCL falls back to TCP and does not say so."""
    used = [one.name for one in view.plan.network.fabric.get(view.node.name, ())]
    for one in view.facts.interfaces or ():
        if one.name not in used:
            continue
        if one.hca is None:
            fix = "`ibdev2netdev` on the node; `sudo apt install --reinstall rdma-core`, reboot"
            yield view.fail("rdma", f"{one.name} has no RoCE device", fix)
        elif one.carrier and one.rdma_state != ACTIVE:
            fix = f"`sudo ip link set {one.name} down && sudo ip link set {one.name} up`"
            yield view.fail("rdma", f"{one.hca} of {one.name} is {one.rdma_state}", fix)
        elif one.carrier:
            yield view.ok("rdma", f"{one.hca} of {one.name} is active")


def _cable(view: View, cable: Cable, documents: Documents) -> Iterator[Check]:
    name, network = view.node.name, view.plan.network
    declared = witnesses(cable, name, network)
    asked = [one for one in declared if one in network.management]
    if not asked:
        why = f"{', '.join(declared)} is not there" if declared else "no other node is declared"
        yield view.warn("cable", f"{cable.name}: not tried, {why}", "see that node")
        return
    runs: dict[str, Json] = {one: {} for one in (name, *asked)}
    want = check_want(cable, name, network, documents, wanted_mtu(view.spec), runs)
    seen = [(half, probe_of(half, view.document, want["ends"])) for half in want["halves"]]
    found = fabric_verdict.verdicts(seen, _ports(view), want["via"])
    said = [one.sentence for one in found]
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


def _ports(view: View) -> fabric_verdict.Ports:
    fabric = [one for one in view.facts.interfaces or () if netplan.is_fabric(one.name)]
    return fabric_verdict.Ports(
        linked=tuple(one.name for one in fabric if one.carrier),
        off=tuple(one.name for one in fabric if one.state != "up"),
        planned=tuple(one.name for one in view.plan.network.fabric.get(view.node.name, ())),
    )
