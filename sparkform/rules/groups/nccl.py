"""NCCL's variables, which a stack may add to and should rarely change."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import Finding, Outcome, Skip

BOOTSTRAP = (
    "NCCL_SOCKET_IFNAME",
    "GLOO_SOCKET_IFNAME",
    "TP_SOCKET_IFNAME",
    "OMPI_MCA_btl_tcp_if_include",
)
BY_PREFIX = ("NCCL_SOCKET_IFNAME", "NCCL_IB_HCA")
LARGE_BUFFER_BYTES = 4 * 2**30
TEST_SIZE = re.compile(r"(?:^|\s)-[be]\s*(\d+)\s*[gG]")
TWIN = re.compile(r"(roceP2p1|rocep1)s0f(\d)")


def listed_names(text: str) -> tuple[str, ...]:
    """The names of a list, without NCCL's prefix for exact (`=`) or excluded (`^`) ones."""
    listed = text.lstrip("=^").split(",")
    return tuple(one.split(":")[0].strip() for one in listed if one.strip())


def covers(text: str, device: str) -> bool:
    """Whether a list of NCCL's names a device; without `=` a name stands for all it begins."""
    names = listed_names(text)
    return device in names or (not text.startswith("=") and device.startswith(names))


def sockets_instead(service: ServiceView) -> Iterator[Outcome]:
    """With NCCL_IB_DISABLE=1, NCCL_NET=Socket or an excluding NCCL_IB_HCA, ranks talk over TCP.

    It serves, at about 62 % of the speed, and nothing says so. One guide sets it; all other sources
    set 0. Where it is wanted (to find a fault), waive this.
    """
    if not service.spans_nodes:
        return
    given = service.variables
    disabled = given.get("NCCL_IB_DISABLE")
    transport = given.get("NCCL_NET")
    devices = given.get("NCCL_IB_HCA")
    places = []
    if disabled is not None and disabled.text not in ("0", ""):
        places.append((disabled.path, 'environment: {NCCL_IB_DISABLE: "0"}'))
    if transport is not None and transport.text == "socket":
        places.append((transport.path, "environment: {NCCL_NET: IB}"))
    if devices is not None and devices.text.startswith("^"):
        places.append((devices.path, "# take NCCL_IB_HCA out of environment"))
    for place, remedy in places:
        yield Finding(
            path=place,
            message="The service must talk over RoCE between nodes, as sockets lose a third of the "
            "speed without a word.",
            remedy=remedy,
        )


def gid_index(service: ServiceView) -> Iterator[Outcome]:
    """The GID of RoCE v2 over IPv4 is at index 3 on most days, and at 0, 4 or 5 on others.

    It differs by port and moves after link, netplan or firmware events, 3 to 4 within half an hour
    on one machine; a pinned index then hangs one port with error 61. Empty means 0, which is the
    link-local address. NCCL finds the right one itself when the variable is absent.
    """
    pinned = service.variables.get("NCCL_IB_GID_INDEX")
    if pinned is not None:
        yield Finding(
            path=pinned.path,
            message="The service must not pin NCCL_IB_GID_INDEX, which moves after link events "
            "and hangs a port when it is wrong.",
            remedy="# take NCCL_IB_GID_INDEX out of environment",
        )


def twins(service: ServiceView) -> Iterator[Outcome]:
    """Each QSFP port is two devices of about 100 Gb/s; with one of them half the speed is lost.

    NCCL measured 98 Gb/s with one and 161 to 190 with both. Working set-ups with one exist.
    """
    listed = service.variables.get("NCCL_IB_HCA")
    if not service.spans_nodes or listed is None or listed.text.startswith("^"):
        return
    found: dict[str, set[str]] = {}
    for name in listed_names(str(listed.value)):
        twin = TWIN.fullmatch(name)
        if twin:
            found.setdefault(twin.group(2), set()).add(twin.group(1))
    for port, halves in found.items():
        if len(halves) == 1:
            yield Finding(
                path=listed.path,
                message=f"The service must use both devices of QSFP port {port}, as one carries "
                "half of its speed.",
                remedy=f"environment: {{NCCL_IB_HCA: '=rocep1s0f{port},roceP2p1s0f{port}'}}",
            )


def large_buffers(service: ServiceView) -> Iterator[Outcome]:
    """NCCL tests with 16 GiB buffers take 32 GB a node and have frozen one until a power cycle.

    On unified memory a buffer of the test is memory of the system. 1 GiB shows the same speed. The
    same holds for NCCL_BUFFSIZE, which is taken for each channel.
    """
    size = service.variables.get("NCCL_BUFFSIZE")
    if size is not None and (size.number or 0) >= LARGE_BUFFER_BYTES:
        yield _large(size.path, "# take NCCL_BUFFSIZE out of environment")
    texts = [(setting.path, str(setting.value)) for setting in service.variables.values()]
    texts += [
        (service.path(f"extraArgs[{at}]"), word) for at, word in enumerate(service.block.extra_args)
    ]
    for place, text in texts:
        sizes = [int(found) for found in TEST_SIZE.findall(text)]
        if sizes and max(sizes) * 2**30 >= LARGE_BUFFER_BYTES and "_perf" in text:
            yield _large(place, "# test with -b 1G -e 1G, as `sparkform prove` does")


def _large(place: str, remedy: str) -> Finding:
    return Finding(
        path=place,
        message="The service must not give NCCL buffers of many GiB, which freeze a node whose "
        "memory is shared with the system.",
        remedy=remedy,
    )


def names_exist(service: ServiceView) -> Iterator[Outcome]:
    """The names in a service's environment against what its nodes report."""
    if not service.spans_nodes:
        return
    for name in (*BOOTSTRAP, "NCCL_IB_HCA"):
        setting = service.variables.get(name)
        if setting is None or setting.text.startswith("^"):
            continue
        for node in service.nodes:
            document = service.context.document(node.name)
            held = document.facts.interfaces if document else None
            if held is None:
                reason = f"the interfaces of {node.name} are not known"
                yield Skip(path=setting.path, reason=reason)
                continue
            alive = {one.name for one in held if one.carrier}
            alive |= {one.hca for one in held if one.hca and one.carrier}
            for missing in _dead(_pattern(name, str(setting.value)), alive):
                yield Finding(
                    path=setting.path,
                    message=f"The service must name only interfaces that are up, and {missing} of "
                    f"{node.name} is not.",
                    remedy=f"# take {name} out of environment",
                )


def _pattern(variable: str, text: str) -> str:
    """The list as NCCL would write it: other readers take names exactly."""
    return text if variable in BY_PREFIX else f"={text}"


def _dead(text: str, alive: Collection[str]) -> list[str]:
    """The listed names that no living interface has; a network (10.0.0.0/24) is no name."""
    names = [name for name in listed_names(text) if "/" not in name]
    if not text.startswith("="):
        return [name for name in names if not any(one.startswith(name) for one in alive)]
    return [name for name in names if name not in alive]


SERVICE_RULES = {
    "ib-disabled": sockets_instead,
    "gid-pinned": gid_index,
    "hca-twins": twins,
    "nccl-16g-test": large_buffers,
}
