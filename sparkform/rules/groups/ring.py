"""Three Sparks in a ring without a switch."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import Context, ServiceView
from sparkform.rules.groups.nccl import BOOTSTRAP, covers
from sparkform.rules.outcome import ADVISORY, Finding, Outcome, Skip

FIRST_NCCL = (2, 30)
DEVICES = ("rocep1s0f0", "roceP2p1s0f0", "rocep1s0f1", "roceP2p1s0f1")
PORTS = 4
FABRIC_NAMES = ("enp1s0f", "enP2p1s0f")


def environment(service: ServiceView) -> Iterator[Outcome]:
    """On a ring no subnet is common to all, so that NCCL must route by subnet on all four devices.

    NCCL_IB_SUBNET_AWARE_ROUTING=1 (NCCL 2.30 or newer), NCCL_NET_PLUGIN=none, all four devices, and
    a bootstrap over the management network; otherwise ibv_modify_qp ends with error 110.
    NCCL_IB_MERGE_NICS=0 was needed with older NCCL, and NVIDIA dropped it for 2.30.7.
    """
    if service.context.topology != "ring" or not service.spans_nodes:
        return
    given = service.variables
    for name, wanted in (("NCCL_IB_SUBNET_AWARE_ROUTING", "1"), ("NCCL_NET_PLUGIN", "none")):
        if name in given and given[name].text != wanted:
            yield _wrong(given[name].path, f'environment: {{{name}: "{wanted}"}}')
    devices = given.get("NCCL_IB_HCA")
    if devices is not None and not all(covers(str(devices.value), one) for one in DEVICES):
        yield _wrong(devices.path, f"environment: {{NCCL_IB_HCA: '={','.join(DEVICES)}'}}")
    for name in BOOTSTRAP:
        if name in given and any(part in str(given[name].value) for part in FABRIC_NAMES):
            yield _wrong(given[name].path, f"# take {name} out of environment")
    yield from _merge(service)
    yield from _library(service)


def _wrong(place: str, remedy: str) -> Finding:
    return Finding(
        path=place,
        message="The service must let NCCL route over all four devices of a ring and meet over the "
        "management network, which this prevents.",
        remedy=remedy,
    )


def _merge(service: ServiceView) -> Iterator[Outcome]:
    setting = service.variables.get("NCCL_IB_MERGE_NICS")
    if setting is not None and setting.text != "0":
        yield Finding(
            path=setting.path,
            message="The service must measure what merged devices do on a ring, as sources "
            "disagree.",
            remedy='environment: {NCCL_IB_MERGE_NICS: "0"}',
            severity=ADVISORY,
        )


def _library(service: ServiceView) -> Iterator[Outcome]:
    if service.image is None:
        return
    version = service.image_figure("nccl_version")
    if version is None:
        reason = f"the catalogue does not know which NCCL {service.image.tagged} has"
        yield Skip(path=service.path("image"), reason=reason)
        return
    parts = tuple(int(part) for part in str(version).split(".")[:2])
    if parts < FIRST_NCCL:
        yield Finding(
            path=service.path("image"),
            message=f"The service must bring NCCL 2.30 or newer on a ring, and has {version}.",
            remedy="image: one with NCCL 2.30.7",
        )


def cabling(context: Context) -> Iterator[Outcome]:
    """On a ring port 0 of each Spark leads to port 1 of the next: all four ends are linked."""
    if context.topology != "ring":
        return
    for node in context.spec.active_nodes:
        document = context.document(node.name)
        held = document.facts.interfaces if document else None
        place = f"cluster.nodes[{node.position}]"
        if held is None:
            yield Skip(path=place, reason=f"the interfaces of {node.name} are not known")
            continue
        linked = [one for one in held if one.port is not None and one.carrier]
        if len(linked) < PORTS:
            dark = sorted(
                {f"port {one.port}" for one in held if one.port is not None and not one.carrier}
            )
            yield Finding(
                path=place,
                message="The cluster must be cabled as a ring, and on "
                f"{node.name} there is no link at {' and '.join(dark) or 'its QSFP ports'}.",
                remedy="# cable port 0 of each Spark to port 1 of the next, or fabric: "
                "{topology: switch}",
            )


SERVICE_RULES = {"ring-env": environment}
RACK_RULES = {"ring-cabling": cabling}
