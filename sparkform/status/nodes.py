"""The rows of nodes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from node.facts.interfaces import parse_port_and_half
from node.readings.gpu import GpuTelemetry
from node.readings.measure import Count, Figure, Unread
from node.telemetry.node_telemetry import (
    DiskTelemetry,
    LinkTelemetry,
    MemoryTelemetry,
    NodeTelemetry,
)
from sparkform.config import EffectiveNode
from sparkform.status.rack_status import LinkStatus, NodeStatus
from sparkform.status.readings import NodeReading

KIB_PER_GIB = 2**20
BYTES_PER_GIB = 2**30
MBPS_PER_GBPS = 1000
MODELS = "models"
ORDINARY_REASONS = (
    "gpu_idle",
    "application_clocks",
    "sw_power_cap",
    "sync_boost",
    "display_clocks",
)
Part = TypeVar("Part")
Value = TypeVar("Value")


def build_node_status(node: EffectiveNode, reading: NodeReading) -> NodeStatus:
    telemetry = reading.telemetry
    memory = pick(telemetry, lambda known: known.memory)
    gpu = pick(telemetry, find_gpu)
    current = reading.current
    return NodeStatus(
        name=node.name,
        host=node.host,
        is_head=node.is_head,
        is_away=node.away,
        contact=current if isinstance(current, Unread) else "answers",
        memory_total_gib=pick(memory, lambda known: to_gib(known.total_kib)),
        memory_available_gib=pick(memory, lambda known: to_gib(known.available_kib)),
        swap_used_gib=pick(memory, measure_used_swap_gib),
        gpu_use_percent=pick(gpu, lambda known: known.use_percent),
        gpu_power_w=pick(gpu, lambda known: known.power_w),
        gpu_temperature_c=pick(gpu, lambda known: known.temperature_c),
        gpu_clock_mhz=pick(gpu, lambda known: known.clock_sm_mhz),
        gpu_clock_max_mhz=pick(gpu, lambda known: known.clock_max_mhz),
        clock_held_by=pick(gpu, list_clock_holders),
        disk_free_gib=pick(telemetry, measure_free_disk_gib),
        links=pick(telemetry, build_links),
    )


def pick(
    part: Part | Unread | None, choose: Callable[[Part], Value | Unread | None]
) -> Value | Unread | None:
    """A value of a part; what is said of the part where that is absent or unread."""
    return part if part is None or isinstance(part, Unread) else choose(part)


def find_gpu(telemetry: NodeTelemetry) -> GpuTelemetry | Unread | None:
    """The first one: a Spark has one."""
    if isinstance(telemetry.gpus, Unread):
        return telemetry.gpus
    return telemetry.gpus[0] if telemetry.gpus else None


def to_gib(kib: Count) -> Figure:
    return pick(kib, lambda known: known / KIB_PER_GIB)


def measure_used_swap_gib(memory: MemoryTelemetry) -> Figure:
    return pick(
        memory.swap_total_kib,
        lambda total: pick(memory.swap_free_kib, lambda free: (total - free) / KIB_PER_GIB),
    )


def list_clock_holders(gpu: GpuTelemetry) -> tuple[str, ...] | Unread | None:
    """Without those of a GPU that idles, or works within its power limit or a cap of its owner:
    they come and go all the time."""
    return pick(
        gpu.throttle_reasons,
        lambda reasons: tuple(name for name in reasons if name not in ORDINARY_REASONS),
    )


def measure_free_disk_gib(telemetry: NodeTelemetry) -> Figure:
    disk: DiskTelemetry | Unread | None = telemetry.disks.get(MODELS)
    return pick(disk, lambda known: known.free_bytes / BYTES_PER_GIB)


def build_links(telemetry: NodeTelemetry) -> tuple[LinkStatus, ...] | Unread | None:
    return pick(telemetry.links, lambda links: tuple(map(build_link, links)))


def build_link(link: LinkTelemetry) -> LinkStatus:
    port, half = parse_port_and_half(link.interface)
    speed_gbps = pick(link.speed_mbps, lambda mbps: mbps / MBPS_PER_GBPS)
    return LinkStatus(link.interface, port, half, link.is_up, speed_gbps)
