"""RoCE links, from sysfs: carrier, speed, traffic and error counters of each half.

Names: Documentation/ABI/stable/sysfs-class-infiniband of the kernel, which counts data in words of
four bytes, and drivers/infiniband/hw/mlx5/counters.c for hw_counters.
"""

from __future__ import annotations

import re

from node.facts.reading import FactReader
from node.facts.values import parse_number
from node.readings.measure import Count, Unread
from node.telemetry.node_telemetry import LinkTelemetry

ROOT = "/sys/class/infiniband"
ERRORS = {
    "counters": ("link_downed", "port_rcv_errors", "port_xmit_discards", "symbol_error"),
    "hw_counters": (
        *("local_ack_timeout_err", "out_of_buffer", "out_of_sequence", "packet_seq_err"),
        *("rnr_nak_retry_err", "rx_icrc_encapsulated", "req_cqe_error", "resp_cqe_error"),
    ),
}
WORD_BYTES = 4
_NETDEV = re.compile(rf"{ROOT}/([^/]+)/device/net/([^/]+)/address")


def read(reader: FactReader) -> tuple[LinkTelemetry, ...]:
    netdevs = reader.list_paths(f"{ROOT}/*/device/net/*/address")
    pairs = [match.groups() for match in map(_NETDEV.fullmatch, netdevs) if match]
    paths = [path for hca, interface in pairs for path in list_paths(hca, interface)]
    sysfs = reader.read_files(paths)
    return tuple(parse(hca, interface, sysfs) for hca, interface in pairs)


def list_paths(hca: str, interface: str) -> list[str]:
    port, net = f"{ROOT}/{hca}/ports/1", f"/sys/class/net/{interface}"
    return [
        *(f"{net}/carrier", f"{net}/speed", f"{port}/state"),
        *(f"{port}/counters/port_rcv_data", f"{port}/counters/port_xmit_data"),
        *(f"{port}/{folder}/{name}" for folder, names in ERRORS.items() for name in names),
    ]


def parse(hca: str, interface: str, sysfs: dict[str, str]) -> LinkTelemetry:
    port, net = f"{ROOT}/{hca}/ports/1", f"/sys/class/net/{interface}"
    state = sysfs.get(f"{port}/state", "").partition(":")[2].strip()
    return LinkTelemetry(
        interface=interface,
        hca=hca,
        is_up=_parse_carrier(sysfs.get(f"{net}/carrier")),
        rdma_state=state or None,
        speed_mbps=_parse_speed(sysfs.get(f"{net}/speed")),
        received_bytes=_parse_words(sysfs.get(f"{port}/counters/port_rcv_data")),
        sent_bytes=_parse_words(sysfs.get(f"{port}/counters/port_xmit_data")),
        errors={
            name: count
            for folder, names in ERRORS.items()
            for name in names
            if (count := parse_number(sysfs.get(f"{port}/{folder}/{name}", ""))) is not None
        },
    )


def _parse_carrier(text: str | None) -> bool | Unread:
    """The kernel refuses to show the carrier of an interface that is set down: then it has none."""
    if text is None:
        return False
    return {"1": True, "0": False}.get(text.strip(), Unread("carrier: neither 0 nor 1"))


def _parse_speed(text: str | None) -> Count:
    """Mb/s; the kernel shows -1, or nothing at all, while there is no link."""
    speed = parse_number(text or "")
    return speed if speed and speed > 0 else None


def _parse_words(text: str | None) -> Count:
    words = parse_number(text or "")
    return None if words is None else words * WORD_BYTES
