"""Links and cables: every half of every used port, judged as the step `fabric_check` judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.network import fabric_verdict, netplan
from node.network.fabric_verdict import Ports
from sparkform.doctor.check import Check, NodeView
from sparkform.doctor.probes import STEP, ProbedHalf, get_wanted_mtu, probe_halves
from sparkform.fabric.links import SPEED_MBPS, build_check_want, list_witnesses
from sparkform.fabric.network import CONNECTX_REMEDY, Reports, list_missing_halves
from sparkform.fabric.topology import HALVES, Cable
from sparkform.report.facts import Interface

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class NcclHarm:
    """What a variable does to engines that have it, unless it has one of these values."""

    effect: str
    harmless: tuple[str, ...] = ()


NCCL_HARM = {
    "NCCL_IB_DISABLE": NcclHarm("engines started by hand talk over sockets", ("0",)),
    "NCCL_NET": NcclHarm("engines started by hand use no other transport", ("ib",)),
    "NCCL_IB_GID_INDEX": NcclHarm("the index moves with link events, and engines then hang"),
}

PCIE_GTS, PCIE_LANES = 32.0, 4
"""Two PCIe 5.0 x4 links a port (docs.nvidia.com/sync, Cluster Assistant)."""

ACTIVE = "ACTIVE"
"""State of an RDMA port that carries traffic (kernel ABI, sysfs-class-infiniband)."""


def check_fabric(view: NodeView, reports: Reports) -> Iterator[Check]:
    """A row for each of the node's cables, or for each half of it that is not as it should be."""
    yield from check_connectx(view)
    yield from check_rdma(view)
    yield from check_pcie(view)
    yield from check_second_cable(view)
    yield from check_upper_interfaces(view)
    yield from check_nccl_files(view)
    for cable in view.plan.network.cables if view.is_planned else ():
        if any(end.node == view.node.name for end in cable.ends):
            yield from _check_cable(view, cable, reports)


def check_rdma(view: NodeView) -> Iterator[Check]:
    """A RoCE device on each used half: without one NCCL falls back to TCP and does not say so."""
    planned_names = _list_planned_names(view)
    for interface in view.facts.interfaces or ():
        if interface.name in planned_names:
            yield from _check_roce_device(view, interface)


def _check_roce_device(view: NodeView, interface: Interface) -> Iterator[Check]:
    """Nothing for a half without a link: its cable's row says so."""
    name, hca = interface.name, interface.hca
    if hca is None:
        fix = "`ibdev2netdev` on the node; `sudo apt install --reinstall rdma-core`, reboot"
        yield view.fail("rdma", f"{name} has no RoCE device", fix)
    elif interface.carrier and interface.rdma_state is None:
        yield view.unknown("rdma", f"the node does not say how {hca} of {name} is")
    elif interface.carrier and interface.rdma_state != ACTIVE:
        fix = f"`sudo ip link set {name} down && sudo ip link set {name} up`"
        yield view.fail("rdma", f"{hca} of {name} is {interface.rdma_state}", fix)
    elif interface.carrier:
        yield view.ok("rdma", f"{hca} of {name} is active")


def _list_planned_names(view: NodeView) -> tuple[str, ...]:
    planned = view.plan.network.fabric.get(view.node.name, ())
    return tuple(interface.name for interface in planned)


def _check_cable(view: NodeView, cable: Cable, reports: Reports) -> Iterator[Check]:
    name, network = view.node.name, view.plan.network
    witnesses = list_witnesses(cable, name, network)
    observed = [witness for witness in witnesses if witness in network.management]
    unread = network.find_unread(name, *observed)
    if unread:
        yield view.unknown("cable", f"{cable.name}: {unread}")
    elif not witnesses:
        yield view.warn("cable", f"{cable.name}: no other node is declared", "declare one")
    elif not observed:
        yield view.unknown("cable", f"{cable.name}: {', '.join(witnesses)} is not observed")
    else:
        mtu = get_wanted_mtu(view.declaration)
        runs: dict[str, Mapping[str, object]] = {node: {} for node in (name, *observed)}
        expected = view.declaration.cluster.fabric.link_gbps
        want = build_check_want(cable, name, network, reports, mtu, runs, expected)
        halves = probe_halves(want.halves, view.report, want.ends)
        verdicts = fabric_verdict.judge_halves(halves, _list_ports(view), want.via)
        sentences = [verdict.sentence for verdict in verdicts]
        yield from _report_verdicts(view, halves, sentences)
        if halves and not sentences:
            yield _report_sound_cable(view, cable, halves)
            yield from _report_slow_cable(view, cable, halves)


def _report_verdicts(
    view: NodeView, halves: Sequence[ProbedHalf], sentences: list[str]
) -> Iterator[Check]:
    """Before this stack was brought up only a missing link is a fault: the rest is to be set."""
    is_cabled = all(probe.exists and probe.carrier for _, probe in halves)
    add_row = view.warn if is_cabled and not view.is_claimed else view.fail
    for sentence in sentences:
        cause, _, remedy = sentence.partition("; ")
        yield add_row("cable", cause, remedy or "look at both ends of the cable")


def _report_sound_cable(view: NodeView, cable: Cable, halves: Sequence[ProbedHalf]) -> Check:
    speeds = [probe.speed_mbps for _, probe in halves if probe.speed_mbps is not None]
    speed = f"{min(speeds)} Mb/s a half, " if speeds and len(speeds) == len(halves) else ""
    if any(probe.small is None for _, probe in halves):
        reason = view.find_unread_reason(f"step {STEP}") or "the recorded facts hold no probe"
        message = f"{cable.name}: {speed}linked; packets were not sent ({reason})"
        return view.unknown("cable", message)
    mtu = min(half["mtu"] or probe.mtu for half, probe in halves)
    return view.ok("cable", f"{cable.name}: {speed}packets of {mtu} bytes pass on both halves")


def _report_slow_cable(
    view: NodeView, cable: Cable, halves: Sequence[ProbedHalf]
) -> Iterator[Check]:
    """Both ends agree on less than a Spark's port can do."""
    speeds = [probe.speed_mbps for _, probe in halves if probe.speed_mbps is not None]
    if speeds and min(speeds) < SPEED_MBPS and not view.declaration.cluster.fabric.link_gbps:
        message = f"{cable.name}: {min(speeds) // 1000} Gb/s at both ends, a Spark's port does 200"
        fix = "a cable (or switch port) for 200 Gb/s; each message between nodes takes longer"
        yield view.warn("cable speed", message, fix)


def check_second_cable(view: NodeView) -> Iterator[Check]:
    """NVIDIA/dgx-spark-playbooks, connect-multiple-sparks: a second cable adds nothing.

    Without a link on the planned port it is the first cable, in the wrong port.
    """
    planned = set(_list_planned_names(view))
    topology = view.declaration.cluster.fabric.topology
    linked = [
        interface.name
        for interface in view.facts.interfaces or ()
        if interface.port is not None and interface.carrier
    ]
    spare = [name for name in linked if name not in planned]
    if spare and planned & set(linked) and topology in ("direct", "switch"):
        message = f"{', '.join(spare)}: a second cable; both share what one would have"
        yield view.warn("cable", message, "unplug it, or declare `qsfpPort` for the one to use")


def check_pcie(view: NodeView) -> Iterator[Check]:
    """Each half is a PCIe device with lanes of its own."""
    planned = _list_planned_names(view)
    for interface in view.facts.interfaces or ():
        gts, width = interface.pcie_gts, interface.pcie_width
        if interface.name not in planned or not gts or not width:
            continue
        if gts < PCIE_GTS or width < PCIE_LANES:
            message = (
                f"{interface.name} has PCIe {gts:g} GT/s x{width}, a Spark's half "
                f"{PCIE_GTS:g} GT/s x{PCIE_LANES}"
            )
            fix = "switch the node off, take its power away for some minutes; `lspci -vv` then"
            yield view.warn("pcie", message, fix)


def check_upper_interfaces(view: NodeView) -> Iterator[Check]:
    """A RoCE device lists the addresses of all that lies on its interface (roce_gid_mgmt.c)."""
    planned = _list_planned_names(view)
    for interface in view.facts.interfaces or ():
        if interface.parent in planned:
            name, kind, half = interface.name, interface.kind, interface.parent
            message = f"{name} ({kind}) lies on {half}: NCCL may choose its address for the half's"
            fix = "`nmcli connection show`, /etc/netplan or `docker network ls` says what makes it"
            yield view.warn("fabric", message, f"{fix}; delete it, or keep it off the halves")


def check_connectx(view: NodeView) -> Iterator[Check]:
    """The ConnectX-7 is two PCI functions a port, in two domains; the kernel may take them off."""
    missing = list_missing_halves(view.report)
    if missing and view.declaration.cluster.fabric.topology != "none" and not view.node.interfaces:
        what = (
            "the ConnectX-7"
            if len(missing) == len(HALVES)
            else f"half {missing[0]} of the ConnectX-7"
        )
        kernel = f" (kernel {view.facts.host.kernel})" if view.facts.host else ""
        message = f"{what} is not on the PCI bus{kernel}"
        yield view.fail("connectx-7", message, CONNECTX_REMEDY)


def check_nccl_files(view: NodeView) -> Iterator[Check]:
    """NCCL reads the file of the user who runs the engine, beside the one that is kept, and a login
    has the variables of its files."""
    nccl_conf = view.facts.nccl_conf
    if nccl_conf is None:
        return
    for path, keys in (*nccl_conf.home.items(), *nccl_conf.environment.items()):
        for name, harm in NCCL_HARM.items():
            value = keys.get(name, "")
            if value and value.lower() not in harm.harmless:
                add_row = view.fail if path in nccl_conf.home and _has_native(view) else view.warn
                message = f"{path} sets {name}={value}: {harm.effect}"
                yield add_row("nccl", message, f"remove the line from {path}")


def _has_native(view: NodeView) -> bool:
    services = view.declaration.services
    return any(service.runtime == "native" for service in services.values())


def _list_ports(view: NodeView) -> Ports:
    interfaces = [
        interface for interface in view.facts.interfaces or () if netplan.is_fabric(interface.name)
    ]
    return Ports(
        linked=tuple(interface.name for interface in interfaces if interface.carrier),
        off=tuple(interface.name for interface in interfaces if interface.state != "up"),
        planned=_list_planned_names(view),
    )
