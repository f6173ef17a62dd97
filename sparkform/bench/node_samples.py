"""What nodes did during a run, and whether one is too sick to be measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from node.readings.gpu import GpuTelemetry
from node.readings.measure import Unread
from node.telemetry.node_telemetry import LinkTelemetry, NodeTelemetry
from node.verbs.status import NodeDocument
from sparkform.bench.result import EngineLoad, NodeLoad

GIB_IN_KIB = 2**20
GIGA = 1e9
HOT_C = 80.0
"""Ours: a run that begins this hot measures the cooling."""

LEAST_AVAILABLE_SHARE = 0.02
SLOWING_REASONS = frozenset({"hw_slowdown", "sw_thermal", "hw_thermal", "hw_power_brake"})
"""Of node/readings/gpu.py. A software power cap is how GB10 runs under load, and no fault."""

SLOW_CLOCK_SHARE = 0.8
"""Ranks wait for each other, so busy GPUs of one service run at like clocks. GB10 has a slow state
without a reason that nvidia-smi names: 94 ms a step instead of 63
(https://github.com/tonyd2wild/DeepSeek-V4.1-Flash-vLLM-DGX-Spark/issues/1, not seen by us)."""


@dataclass(frozen=True)
class NodeSample:
    """A document of a node, with the second since the run's start."""

    node: str
    at_s: float
    document: NodeDocument


def find_sickness(node: str, telemetry: NodeTelemetry | Unread) -> Iterator[str]:
    """Sentences without a full stop, each a reason not to measure now."""
    if isinstance(telemetry, Unread):
        yield f"{node}: its state is unknown ({telemetry.why})"
        return
    if isinstance(telemetry.gpus, Unread):
        yield f"{node}: its GPU is unknown ({telemetry.gpus.why})"
    for gpu in list_gpus(telemetry):
        yield from (f"{node}: {reason}" for reason in _find_gpu_sickness(gpu))
    memory_gib = _measure_available_gib(telemetry)
    if memory_gib is not None and memory_gib[0] < LEAST_AVAILABLE_SHARE * memory_gib[1]:
        yield f"{node}: only {memory_gib[0]:.1f} GiB of memory are available"


def _measure_available_gib(telemetry: NodeTelemetry) -> tuple[float, float] | None:
    """GiB that are available, and all of them; None where they are not known."""
    if isinstance(telemetry.memory, Unread):
        return None
    available, total = telemetry.memory.available_kib, telemetry.memory.total_kib
    if not isinstance(available, int) or not isinstance(total, int):
        return None
    return available / GIB_IN_KIB, total / GIB_IN_KIB


def _find_gpu_sickness(gpu: GpuTelemetry) -> Iterator[str]:
    temperature = gpu.temperature_c
    if isinstance(temperature, float) and temperature >= HOT_C:
        yield f"the GPU has {temperature:.0f} °C before the run; wait until it is below {HOT_C:.0f}"
    reasons = gpu.throttle_reasons
    if isinstance(reasons, tuple) and SLOWING_REASONS.intersection(reasons):
        names = ", ".join(name for name in reasons if name in SLOWING_REASONS)
        yield f"the GPU's clock is held down ({names})"


def find_slow_nodes(samples: Sequence[NodeSample]) -> Iterator[str]:
    """Of the probe: ranks wait for each other, so busy GPUs of one service run at like clocks."""
    clocks = {
        node: median(values)
        for node, values in _group(samples, lambda gpu: gpu.clock_sm_mhz).items()
    }
    fastest = max(clocks.values(), default=0.0)
    for node, clock_mhz in clocks.items():
        if clock_mhz < SLOW_CLOCK_SHARE * fastest:
            yield (
                f"{node}: the GPU runs at {clock_mhz:.0f} MHz while another node's runs at "
                f"{fastest:.0f}"
            )


def list_gpus(telemetry: NodeTelemetry) -> tuple[GpuTelemetry, ...]:
    return () if isinstance(telemetry.gpus, Unread) else telemetry.gpus


def sum_up_nodes(samples: Sequence[NodeSample], names: Iterable[str]) -> tuple[NodeLoad, ...]:
    return tuple(
        sum_up_node(name, [sample for sample in samples if sample.node == name]) for name in names
    )


def sum_up_node(name: str, samples: Sequence[NodeSample]) -> NodeLoad:
    """A GPU's figures are means over the run; None where none was read."""
    powers = _list_values(samples, lambda gpu: gpu.power_w)
    temperatures = _list_values(samples, lambda gpu: gpu.temperature_c)
    clocks = _list_values(samples, lambda gpu: gpu.clock_sm_mhz)
    memories = [used for sample in samples if (used := read_used_gib(sample)) is not None]
    return NodeLoad(
        name=name,
        samples=len(samples),
        gpu_power_w=fmean(powers) if powers else None,
        gpu_power_peak_w=max(powers, default=None),
        gpu_temperature_peak_c=max(temperatures, default=None),
        gpu_clock_mhz=fmean(clocks) if clocks else None,
        memory_peak_gib=max(memories, default=None),
        link_sent_gb=count_link_gb(samples, lambda link: link.sent_bytes),
        link_received_gb=count_link_gb(samples, lambda link: link.received_bytes),
        clock_held_by=tuple(sorted(set(_list_holders(samples)))),
    )


def read_used_gib(sample: NodeSample) -> float | None:
    telemetry = sample.document.telemetry
    if isinstance(telemetry, Unread) or isinstance(telemetry.memory, Unread):
        return None
    total, available = telemetry.memory.total_kib, telemetry.memory.available_kib
    if not isinstance(total, int) or not isinstance(available, int):
        return None
    return (total - available) / GIB_IN_KIB


def read_temperature(sample: NodeSample) -> float | None:
    """The hottest GPU's in °C; None where none was read."""
    telemetry = sample.document.telemetry
    gpus = () if isinstance(telemetry, Unread) else list_gpus(telemetry)
    known = [gpu.temperature_c for gpu in gpus if isinstance(gpu.temperature_c, float)]
    return max(known, default=None)


def count_link_gb(
    samples: Sequence[NodeSample], read: Callable[[LinkTelemetry], object]
) -> float | None:
    """All links of a node together, from the first sample to the last."""
    totals = [
        total for sample in samples if (total := _sum_links(sample.document, read)) is not None
    ]
    return (totals[-1] - totals[0]) / GIGA if len(totals) > 1 else None


def _sum_links(document: NodeDocument, read: Callable[[LinkTelemetry], object]) -> int | None:
    telemetry = document.telemetry
    if isinstance(telemetry, Unread) or isinstance(telemetry.links, Unread):
        return None
    counts = [read(link) for link in telemetry.links]
    known = [count for count in counts if isinstance(count, int)]
    return sum(known) if len(known) == len(counts) else None


def _list_holders(samples: Sequence[NodeSample]) -> Iterator[str]:
    for sample in samples:
        if isinstance(sample.document.telemetry, Unread):
            continue
        for gpu in list_gpus(sample.document.telemetry):
            if isinstance(gpu.throttle_reasons, tuple):
                yield from (name for name in gpu.throttle_reasons if name != "gpu_idle")


def _list_values(
    samples: Sequence[NodeSample], read: Callable[[GpuTelemetry], object]
) -> list[float]:
    """Of the first GPU: a Spark has one."""
    values = []
    for sample in samples:
        telemetry = sample.document.telemetry
        gpus = () if isinstance(telemetry, Unread) else list_gpus(telemetry)
        value = read(gpus[0]) if gpus else None
        if isinstance(value, float | int):
            values.append(float(value))
    return values


def _group(
    samples: Sequence[NodeSample], read: Callable[[GpuTelemetry], object]
) -> Mapping[str, list[float]]:
    names = dict.fromkeys(sample.node for sample in samples)
    values = {
        name: _list_values([sample for sample in samples if sample.node == name], read)
        for name in names
    }
    return {name: numbers for name, numbers in values.items() if numbers}


def sum_up_engine(samples: Sequence[NodeSample], service: str) -> EngineLoad:
    """Of the supervisor's reading of the engine's metrics, on the node of rank 0."""
    figures = [
        report.figures
        for sample in samples
        if not isinstance(sample.document.supervision, Unread)
        and (report := sample.document.supervision.get(service)) is not None
    ]
    uses = [figure.cache_use for figure in figures if figure.cache_use is not None]
    running = [figure.requests_running for figure in figures if figure.requests_running is not None]
    return EngineLoad(
        cache_use_peak=max(uses, default=None), running_peak=max(running, default=None)
    )


def compute_tokens_per_joule(
    output_tokens: int, duration_s: float, nodes: Sequence[NodeLoad]
) -> float | None:
    """None where a node's power is not known: part of a sum would flatter."""
    powers = [node.gpu_power_w for node in nodes]
    known = [power for power in powers if power is not None]
    if not known or len(known) < len(powers) or not duration_s:
        return None
    return output_tokens / (sum(known) * duration_s)
