"""GPU figures, from one line of `nvidia-smi --query-gpu` a GPU.

A process a look, none that stays: one takes 26 ms of a core (H200, driver 580.159, persistence mode
on), where `--loop` keeps 20 MiB.

On GB10 memory fields are [N/A] (docs.nvidia.com/dgx/dgx-spark/known-issues.html) and not asked for.
Bits of the active reasons: docs.nvidia.com/deploy/nvml-api, NvmlClocksEventReasons.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.facts.reading import FactReader, UnreadableFact
from node.facts.values import parse_decimal
from node.readings.measure import Figure, Unread

FIELDS = (
    *("index", "utilization.gpu", "power.draw", "temperature.gpu", "clocks.sm", "clocks.max.sm"),
    *("clocks_event_reasons.active", "name"),
)
QUERY = ("nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits")
ABSENT = ("N/A", "Not Supported")
NO_DEVICE = "No devices were found"
NO_DEVICE_CODE = 6
REASONS = {
    0x1: "gpu_idle",
    0x2: "application_clocks",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal",
    0x40: "hw_thermal",
    0x80: "hw_power_brake",
    0x100: "display_clocks",
}


@dataclass(frozen=True)
class GpuTelemetry:
    """`throttle_reasons` are those of REASONS, empty while nothing limits the clock."""

    index: int
    name: str
    use_percent: Figure
    power_w: Figure
    temperature_c: Figure
    clock_sm_mhz: Figure
    clock_max_mhz: Figure
    throttle_reasons: tuple[str, ...] | Unread | None


def read(reader: FactReader) -> tuple[GpuTelemetry, ...]:
    result = reader.run(*QUERY)
    if result.code == NO_DEVICE_CODE and result.out.startswith(NO_DEVICE):
        return ()
    if result.code != 0:
        lines = (result.err.strip() or result.out.strip()).splitlines()
        raise UnreadableFact(lines[0][:200] if lines else f"nvidia-smi: exit {result.code}")
    return parse(result.out)


def parse(text: str) -> tuple[GpuTelemetry, ...]:
    gpus = [gpu for gpu in map(parse_line, text.splitlines()) if gpu is not None]
    if not gpus:
        raise UnreadableFact("nvidia-smi: no GPU in the answer")
    return tuple(gpus)


def parse_line(line: str) -> GpuTelemetry | None:
    cells = [cell.strip() for cell in line.split(",", len(FIELDS) - 1)]
    if len(cells) != len(FIELDS) or not (cells[0].isascii() and cells[0].isdigit()):
        return None
    return GpuTelemetry(
        index=int(cells[0]),
        name=cells[-1],
        use_percent=parse_figure(cells[1]),
        power_w=parse_figure(cells[2]),
        temperature_c=parse_figure(cells[3]),
        clock_sm_mhz=parse_figure(cells[4]),
        clock_max_mhz=parse_figure(cells[5]),
        throttle_reasons=parse_reasons(cells[6]),
    )


def parse_figure(cell: str) -> Figure:
    value = parse_decimal(cell)
    return _parse_excuse(cell) if value is None else value


def parse_reasons(cell: str) -> tuple[str, ...] | Unread | None:
    try:
        bits = int(cell, 16)
    except ValueError:
        return _parse_excuse(cell)
    known = [name for bit, name in REASONS.items() if bits & bit]
    others = bits & ~sum(REASONS)
    return (*known, *([f"bits_{others:#x}"] if others else ()))


def _parse_excuse(cell: str) -> Unread | None:
    """What stands for a value: [N/A] where there is no sensor, all else for a failure."""
    excuse = cell.strip("[] ")
    return None if excuse in ABSENT else Unread(f"nvidia-smi: {excuse[:100] or 'no value'}")
