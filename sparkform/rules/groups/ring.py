"""Sparks in a ring without a switch."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import Context, ServiceView
from sparkform.rules.groups.nccl import BOOTSTRAP_VARIABLES, is_listed
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome, RuleSkip
from sparkform.versions import is_at_least

MIN_NCCL = "2.30"
FOUR = 4
RING_DEVICES = ("rocep1s0f0", "roceP2p1s0f0", "rocep1s0f1", "roceP2p1s0f1")
FABRIC_INTERFACES = 4
FABRIC_PREFIXES = ("enp1s0f", "enP2p1s0f")


def check_ring_environment(service: ServiceView) -> Iterator[RuleOutcome]:
    """On a ring no subnet is common to all, so that NCCL must route by subnet on all four devices.

    NCCL_IB_SUBNET_AWARE_ROUTING=1 (NCCL 2.30 or newer), NCCL_NET_PLUGIN=none, all four devices, and
    a bootstrap over the management network; otherwise ibv_modify_qp ends with error 110.
    NCCL_IB_MERGE_NICS=0 was needed with older NCCL, and NVIDIA dropped it for 2.30.7.
    """
    if service.context.topology != "ring" or not service.spans_nodes:
        return
    variables = service.variables
    for name, expected in (("NCCL_IB_SUBNET_AWARE_ROUTING", "1"), ("NCCL_NET_PLUGIN", "none")):
        if name in variables and variables[name].text != expected:
            yield _build_routing_finding(
                variables[name].path, f'environment: {{{name}: "{expected}"}}'
            )
    devices = variables.get("NCCL_IB_HCA")
    if devices is not None and not all(
        is_listed(str(devices.value), device) for device in RING_DEVICES
    ):
        yield _build_routing_finding(
            devices.path, f"environment: {{NCCL_IB_HCA: '={','.join(RING_DEVICES)}'}}"
        )
    for name in BOOTSTRAP_VARIABLES:
        if name in variables and any(
            part in str(variables[name].value) for part in FABRIC_PREFIXES
        ):
            yield _build_routing_finding(variables[name].path, f"# take {name} out of environment")
    yield from _check_merged_devices(service)
    yield from _check_nccl_version(service)


def _build_routing_finding(path: str, remedy: str) -> RuleFinding:
    return RuleFinding(
        path=path,
        message=(
            "NCCL cannot route over the ring with this setting: it needs all four "
            "devices, and a bootstrap over the management network."
        ),
        remedy=remedy,
    )


def _check_merged_devices(service: ServiceView) -> Iterator[RuleOutcome]:
    setting = service.variables.get("NCCL_IB_MERGE_NICS")
    if setting is not None and setting.text != "0":
        yield RuleFinding(
            path=setting.path,
            message="Merged devices on a ring are unproven: sources disagree.",
            remedy='environment: {NCCL_IB_MERGE_NICS: "0"}',
            severity=ADVISORY,
        )


def _check_nccl_version(service: ServiceView) -> Iterator[RuleOutcome]:
    if service.image is None:
        return
    version = service.find_image_figure("nccl_version")
    if version is None:
        reason = f"the catalogue does not know which NCCL {service.image.tagged} has"
        yield RuleSkip(path=service.get_path("image"), reason=reason)
        return
    if is_at_least(str(version), MIN_NCCL) is False:
        yield RuleFinding(
            path=service.get_path("image"),
            message=f"The image has NCCL {version}, and a ring needs NCCL {MIN_NCCL} or newer.",
            remedy="image: one with NCCL 2.30.7",
        )


def check_ring_size(service: ServiceView) -> Iterator[RuleOutcome]:
    """On a ring of four or more some ranks are no neighbours, and NCCL's tree needs a path to each.

    Two rings of four serve with an NCCL that was patched for rings alone; the released one ends in
    ncclTransportTreeConnect. Of six nodes one report tells: it starts, and the answers are garbled.
    """
    count = len(service.nodes)
    if service.context.topology != "ring" or count < FOUR:
        return
    yield RuleFinding(
        path="cluster.fabric.topology",
        message=(
            "On a ring of four NCCL has no path between opposite nodes, and its release does not "
            "start: only patched builds are reported to work."
            if count == FOUR
            else f"No ring of {count} nodes is reported to work, and one of six answered with "
            "garbled text."
        ),
        remedy="fabric: {topology: switch}",
        severity=ADVISORY if count == FOUR else MANDATORY,
    )


def check_ring_cabling(context: Context) -> Iterator[RuleOutcome]:
    """On a ring port 0 of each Spark leads to port 1 of the next: all four ends are linked."""
    if context.topology != "ring":
        return
    for node in context.declaration.active_nodes:
        report = context.find_report(node.name)
        interfaces = report.facts.interfaces if report else None
        path = f"cluster.nodes[{node.position}]"
        if interfaces is None:
            yield RuleSkip(path=path, reason=f"the interfaces of {node.name} are not known")
            continue
        linked = [
            interface
            for interface in interfaces
            if interface.port is not None and interface.carrier
        ]
        if len(linked) < FABRIC_INTERFACES:
            unlinked = sorted(
                {
                    f"port {interface.port}"
                    for interface in interfaces
                    if interface.port is not None and not interface.carrier
                }
            )
            yield RuleFinding(
                path=path,
                message=(
                    f"{node.name} has no link at {' and '.join(unlinked) or 'its QSFP ports'}: "
                    "a ring needs both ports."
                ),
                remedy="# cable port 0 of each Spark to port 1 of the next, or fabric: "
                "{topology: switch}",
            )


SERVICE_RULES = {"ring-env": check_ring_environment, "ring-size": check_ring_size}
RACK_RULES = {"ring-cabling": check_ring_cabling}
