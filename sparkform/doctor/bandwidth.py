"""What each cable was measured to carry, against what its links report. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.doctor.check import Check, NodeView
from sparkform.fabric.measuring import FULL_GBPS, list_measured
from sparkform.report.facts import MeasuredCable

HALF_GBPS = 100.0
"""A half is a PCIe Gen5 x4 link of its own (docs.nvidia.com, Sync's Cluster Assistant)."""

LEAST_SHARE = {"ib_write_bw": 0.8, "iperf3": 0.5}
"""Good cables give 92 of 100 and 190 of 200 by RDMA (performance_benchmarking_guide.md); TCP is
bound by the processor. Chosen below those, not sourced."""

BROKEN_SHARE = 0.25
POWER_REMEDY = (
    "shut both nodes down, unplug their power for a minute, start them (NVIDIA/dgx-spark-playbooks "
    "pull 108); then another cable, then `fwupdmgr update`"
)
SLOW_REMEDY = "`fwupdmgr update` on both ends, then another cable"


def check_bandwidth(view: NodeView) -> Iterator[Check]:
    for measured in list_measured(view.report, view.plan.network):
        yield _judge(view, measured, _find_speed_gbps(view))


def _find_speed_gbps(view: NodeView) -> float:
    names = {half.name for half in view.plan.network.fabric.get(view.node.name, ())}
    speeds = [
        interface.speed_mbps / 1000
        for interface in view.facts.interfaces or ()
        if interface.name in names and interface.speed_mbps
    ]
    return min([FULL_GBPS, *speeds])


def _judge(view: NodeView, measured: MeasuredCable, speed_gbps: float) -> Check:
    """By the worst of the two halves and both together."""
    halves = ", ".join(f"{name} {gbps:g}" for name, gbps in measured.half_gbps.items())
    message = (
        f"{measured.cable}: {measured.both_gbps:g} of {speed_gbps:g} Gb/s to {measured.peer} "
        f"({halves} alone; {measured.tool})"
    )
    expected_half = min(HALF_GBPS, speed_gbps)
    shares = [gbps / expected_half for gbps in measured.half_gbps.values()]
    share = min([measured.both_gbps / speed_gbps, *shares])
    if share < BROKEN_SHARE:
        return view.fail("bandwidth", message, POWER_REMEDY)
    if share < LEAST_SHARE.get(measured.tool, 1.0):
        return view.warn("bandwidth", message, SLOW_REMEDY)
    return view.ok("bandwidth", message)
