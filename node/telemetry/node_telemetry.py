"""The form of a node's measurements. What a node can not measure at all is None, see measure.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.host.typed_json import parse, to_fields
from node.telemetry.measure import Count, Figure, Unread


@dataclass(frozen=True)
class GpuTelemetry:
    """`throttle_reasons` are names of telemetry/gpu.py, empty while nothing limits the clock."""

    index: int
    name: str
    use_percent: Figure
    power_w: Figure
    temperature_c: Figure
    clock_sm_mhz: Figure
    clock_max_mhz: Figure
    throttle_reasons: tuple[str, ...] | Unread | None


@dataclass(frozen=True)
class MemoryTelemetry:
    """Fields of /proc/meminfo, in KiB. CmaFree above CmaTotal is a known fault of some kernels."""

    total_kib: Count
    available_kib: Count
    free_kib: Count
    swap_total_kib: Count
    swap_free_kib: Count
    cma_total_kib: Count
    cma_free_kib: Count


@dataclass(frozen=True)
class LinkTelemetry:
    """One half of a RoCE port. `errors` has the counters that the driver offers, since its load."""

    interface: str
    hca: str
    is_up: bool | Unread | None
    rdma_state: str | None
    speed_mbps: Count
    received_bytes: Count
    sent_bytes: Count
    errors: Mapping[str, int]


@dataclass(frozen=True)
class DiskTelemetry:
    """The file system under a directory, which may not exist yet."""

    directory: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class KernelEvents:
    """Counts since boot: GPU errors by Xid number (as text), and processes that OOM killed."""

    xid_errors: Mapping[str, int] | Unread
    oom_kills: Count


@dataclass(frozen=True)
class NodeTelemetry:
    unix_time_s: float
    uptime_s: Figure
    gpus: tuple[GpuTelemetry, ...] | Unread
    memory: MemoryTelemetry | Unread
    links: tuple[LinkTelemetry, ...] | Unread
    disks: Mapping[str, DiskTelemetry | Unread]
    events: KernelEvents


def parse_node_telemetry(value: object) -> NodeTelemetry:
    """Raises ShapeError."""
    return parse(NodeTelemetry, value, "telemetry")


def build_document(telemetry: NodeTelemetry) -> dict[str, object]:
    """As JSON; parse_node_telemetry reads it."""
    return to_fields(telemetry)
