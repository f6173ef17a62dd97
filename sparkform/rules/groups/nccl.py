"""NCCL's variables, which a stack may add to and should rarely change."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip

BOOTSTRAP_VARIABLES = (
    "NCCL_SOCKET_IFNAME",
    "GLOO_SOCKET_IFNAME",
    "TP_SOCKET_IFNAME",
    "OMPI_MCA_btl_tcp_if_include",
)
PREFIX_VARIABLES = ("NCCL_SOCKET_IFNAME", "NCCL_IB_HCA")
LARGE_BUFFER_BYTES = 4 * 2**30
TEST_SIZE = re.compile(r"(?:^|\s)-[be]\s*(\d+)\s*[gG]")
TWIN_DEVICE = re.compile(r"(roceP2p1|rocep1)s0f(\d)")


def parse_name_list(text: str) -> tuple[str, ...]:
    """The names of a list, without NCCL's prefix for exact (`=`) or excluded (`^`) ones."""
    listed = text.lstrip("=^").split(",")
    return tuple(name.split(":")[0].strip() for name in listed if name.strip())


def is_listed(text: str, device: str) -> bool:
    """Whether a list of NCCL's names a device; without `=` a name stands for all it begins."""
    names = parse_name_list(text)
    return device in names or (not text.startswith("=") and device.startswith(names))


def check_roce_enabled(service: ServiceView) -> Iterator[RuleOutcome]:
    """With NCCL_IB_DISABLE=1, NCCL_NET=Socket or an excluding NCCL_IB_HCA, ranks talk over TCP.

    It serves, at about 62 % of the speed, and nothing says so. One guide sets it; all other sources
    set 0. Where it is wanted (to find a fault), waive this.
    """
    if not service.spans_nodes:
        return
    variables = service.variables
    disabled = variables.get("NCCL_IB_DISABLE")
    transport = variables.get("NCCL_NET")
    devices = variables.get("NCCL_IB_HCA")
    remedies = []
    if disabled is not None and disabled.text not in ("0", ""):
        remedies.append((disabled.path, 'environment: {NCCL_IB_DISABLE: "0"}'))
    if transport is not None and transport.text == "socket":
        remedies.append((transport.path, "environment: {NCCL_NET: IB}"))
    if devices is not None and devices.text.startswith("^"):
        remedies.append((devices.path, "# take NCCL_IB_HCA out of environment"))
    for path, remedy in remedies:
        yield RuleFinding(
            path=path,
            message="Ranks talk over TCP sockets instead of RoCE, at about 62 % of the speed.",
            remedy=remedy,
        )


def check_gid_index(service: ServiceView) -> Iterator[RuleOutcome]:
    """The GID of RoCE v2 over IPv4 is at index 3 on most days, and at 0, 4 or 5 on others.

    It differs by port and moves after link, netplan or firmware events (3 to 4 within half an
    hour); a pinned index then hangs a port with error 61. Empty means 0, the link-local address.
    Without the variable NCCL finds the right one.
    """
    pinned = service.variables.get("NCCL_IB_GID_INDEX")
    if pinned is not None:
        yield RuleFinding(
            path=pinned.path,
            message=(
                "NCCL_IB_GID_INDEX is pinned: the index moves after link events, and a "
                "wrong one hangs a port."
            ),
            remedy="# take NCCL_IB_GID_INDEX out of environment",
        )


def check_twin_devices(service: ServiceView) -> Iterator[RuleOutcome]:
    """Each QSFP port is two devices of about 100 Gb/s; with one of them half the speed is lost.

    NCCL measured 98 Gb/s with one and 161 to 190 with both. Working set-ups with one exist.
    """
    devices = service.variables.get("NCCL_IB_HCA")
    if not service.spans_nodes or devices is None or devices.text.startswith("^"):
        return
    halves_by_port: dict[str, set[str]] = {}
    for name in parse_name_list(str(devices.value)):
        twin = TWIN_DEVICE.fullmatch(name)
        if twin:
            halves_by_port.setdefault(twin.group(2), set()).add(twin.group(1))
    for port, halves in halves_by_port.items():
        if len(halves) == 1:
            yield RuleFinding(
                path=devices.path,
                message=(
                    f"NCCL_IB_HCA names only one of the two devices of QSFP port {port}: half "
                    "of its bandwidth is lost."
                ),
                remedy=f"environment: {{NCCL_IB_HCA: '=rocep1s0f{port},roceP2p1s0f{port}'}}",
            )


def check_buffer_size(service: ServiceView) -> Iterator[RuleOutcome]:
    """NCCL tests with 16 GiB buffers take 32 GB a node and have frozen one until a power cycle.

    On unified memory a buffer of the test is memory of the system. 1 GiB shows the same speed. The
    same holds for NCCL_BUFFSIZE, which is taken for each channel.
    """
    size = service.variables.get("NCCL_BUFFSIZE")
    if size is not None and (size.number or 0) >= LARGE_BUFFER_BYTES:
        yield _build_buffer_finding(size.path, "# take NCCL_BUFFSIZE out of environment")
    texts = [(setting.path, str(setting.value)) for setting in service.variables.values()]
    texts += [
        (service.get_path(f"extraArgs[{position}]"), argument)
        for position, argument in enumerate(service.block.extra_args)
    ]
    for path, text in texts:
        sizes = [int(gib) for gib in TEST_SIZE.findall(text)]
        if sizes and max(sizes) * 2**30 >= LARGE_BUFFER_BYTES and "_perf" in text:
            yield _build_buffer_finding(path, "# test with -b 1G -e 1G, as `sparkform prove` does")


def _build_buffer_finding(path: str, remedy: str) -> RuleFinding:
    return RuleFinding(
        path=path,
        message=(
            "NCCL buffers of several GiB freeze a node, as its memory is shared with the system."
        ),
        remedy=remedy,
    )


def check_interface_names(service: ServiceView) -> Iterator[RuleOutcome]:
    """The names in a service's environment against what its nodes report."""
    if not service.spans_nodes:
        return
    for name in (*BOOTSTRAP_VARIABLES, "NCCL_IB_HCA"):
        setting = service.variables.get(name)
        if setting is None or setting.text.startswith("^"):
            continue
        for node in service.nodes:
            report = service.context.find_report(node.name)
            interfaces = report.facts.interfaces if report else None
            if interfaces is None:
                reason = f"the interfaces of {node.name} are not known"
                yield RuleSkip(path=setting.path, reason=reason)
                continue
            alive = {interface.name for interface in interfaces if interface.carrier}
            alive |= {
                interface.hca for interface in interfaces if interface.hca and interface.carrier
            }
            for missing in _list_missing_names(
                _normalize_name_list(name, str(setting.value)), alive
            ):
                yield RuleFinding(
                    path=setting.path,
                    message=f"{missing} of {node.name} is missing or has no link.",
                    remedy=f"# take {name} out of environment",
                )


def _normalize_name_list(variable: str, text: str) -> str:
    """The list as NCCL would write it: other readers take names exactly."""
    return text if variable in PREFIX_VARIABLES else f"={text}"


def _list_missing_names(text: str, live_names: Collection[str]) -> list[str]:
    """The listed names that no living interface has; a network (10.0.0.0/24) is no name."""
    names = [name for name in parse_name_list(text) if "/" not in name]
    if not text.startswith("="):
        return [
            name
            for name in names
            if not any(live_name.startswith(name) for live_name in live_names)
        ]
    return [name for name in names if name not in live_names]


SERVICE_RULES = {
    "ib-disabled": check_roce_enabled,
    "gid-pinned": check_gid_index,
    "hca-twins": check_twin_devices,
    "nccl-16g-test": check_buffer_size,
}
