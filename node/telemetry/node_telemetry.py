"""The form of a node's measurements. What a node can not measure at all is None,
see readings/measure.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.readings.gpu import GpuTelemetry
from node.readings.measure import Count, Unread


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
class NodeTelemetry:
    gpus: tuple[GpuTelemetry, ...] | Unread
    memory: MemoryTelemetry | Unread
    links: tuple[LinkTelemetry, ...] | Unread
    disks: Mapping[str, DiskTelemetry | Unread]
