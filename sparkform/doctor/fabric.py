"""Links and cables: every half of every used port, judged as the step `fabric_check` judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from node.network import fabric_verdict, netplan
from node.network.fabric_probe import HalfProbe
from node.network.halves import LinkHalf
from sparkform.doctor.check import Check, NodeView
from sparkform.doctor.probes import STEP, build_probe, get_wanted_mtu
from sparkform.fabric.links import build_check_want, list_witnesses
from sparkform.fabric.topology import Cable
from sparkform.report.facts import NodeReport

Json = Mapping[str, Any]
Documents = Mapping[str, NodeReport]
HalfProbes = list[tuple[LinkHalf, HalfProbe]]
ACTIVE = "ACTIVE"
"""State of an RDMA port that carries traffic (kernel ABI, sysfs-class-infiniband)."""


def check_fabric(view: NodeView, reports: Documents) -> Iterator[Check]:
    """A row for each of the node's cables, or for each half of it that is not as it should be."""
    yield from check_rdma(view)
    for cable in view.plan.network.cables:
        if any(end.node == view.node.name for end in cable.ends):
            yield from _check_cable(view, cable, reports)


def check_rdma(view: NodeView) -> Iterator[Check]:
    """A RoCE device on each used half: without one NCCL falls back to TCP and does not say so."""
    used_names = [interface.name for interface in view.plan.network.fabric.get(view.node.name, ())]
    for interface in view.facts.interfaces or ():
        if interface.name not in used_names:
            continue
        if interface.hca is None:
            fix = "`ibdev2netdev` on the node; `sudo apt install --reinstall rdma-core`, reboot"
            yield view.fail("rdma", f"{interface.name} has no RoCE device", fix)
        elif interface.carrier and interface.rdma_state != ACTIVE:
            fix = (
                f"`sudo ip link set {interface.name} down && sudo ip link set {interface.name} up`"
            )
            yield view.fail(
                "rdma", f"{interface.hca} of {interface.name} is {interface.rdma_state}", fix
            )
        elif interface.carrier:
            yield view.ok("rdma", f"{interface.hca} of {interface.name} is active")


def _check_cable(view: NodeView, cable: Cable, reports: Documents) -> Iterator[Check]:
    name, network = view.node.name, view.plan.network
    declared_witnesses = list_witnesses(cable, name, network)
    witness_nodes = [one for one in declared_witnesses if one in network.management]
    if not witness_nodes:
        reason = (
            f"{', '.join(declared_witnesses)} is not there"
            if declared_witnesses
            else "no other node is declared"
        )
        yield view.warn("cable", f"{cable.name}: not tried, {reason}", "see that node")
        return
    runs: dict[str, Json] = {one: {} for one in (name, *witness_nodes)}
    want = build_check_want(cable, name, network, reports, get_wanted_mtu(view.declaration), runs)
    half_probes = [(half, build_probe(half, view.report, want.ends)) for half in want.halves]
    verdicts = fabric_verdict.judge_halves(half_probes, _list_ports(view), want.via)
    sentences = [one.sentence for one in verdicts]
    yield from (
        _report_verdicts(view, half_probes, sentences)
        if sentences
        else [_report_sound_cable(view, cable, half_probes)]
    )


def _report_verdicts(
    view: NodeView, half_probes: HalfProbes, sentences: list[str]
) -> Iterator[Check]:
    """Before this stack was brought up only a missing link is a fault: the rest is to be set."""
    is_cabled = all(probe.exists and probe.carrier for _, probe in half_probes)
    report = view.warn if is_cabled and not view.is_claimed else view.fail
    for sentence in sentences:
        cause, _, remedy = sentence.partition("; ")
        yield report("cable", cause, remedy or "look at both ends of the cable")


def _report_sound_cable(view: NodeView, cable: Cable, half_probes: HalfProbes) -> Check:
    speeds = {probe.speed_mbps for _, probe in half_probes}
    speed = f"{min(one or 0 for one in speeds)} Mb/s a half, " if None not in speeds else ""
    if any(probe.small is None for _, probe in half_probes):
        reasons = [one.why for one in view.report.unreadable if one.what == f"step {STEP}"]
        reason = reasons[0] if reasons else "the recorded facts hold no try"
        message = f"{cable.name}: {speed}links are there; packets were not tried ({reason})"
        return view.warn("cable", message, "run `sparkform doctor` with the nodes again")
    mtu = min(half["mtu"] or probe.mtu for half, probe in half_probes)
    return view.ok("cable", f"{cable.name}: {speed}packets of {mtu} bytes pass on both halves")


def _list_ports(view: NodeView) -> fabric_verdict.Ports:
    fabric_interfaces = [
        interface for interface in view.facts.interfaces or () if netplan.is_fabric(interface.name)
    ]
    return fabric_verdict.Ports(
        linked=tuple(interface.name for interface in fabric_interfaces if interface.carrier),
        off=tuple(interface.name for interface in fabric_interfaces if interface.state != "up"),
        planned=tuple(
            interface.name for interface in view.plan.network.fabric.get(view.node.name, ())
        ),
    )
