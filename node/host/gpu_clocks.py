"""The GPU's clocks, by nvidia-smi: which there are, how fast it runs now, and a limit to them.

A limit lasts until the driver is loaded anew, or lets the GPU go because nobody uses it. No field
of nvidia-smi shows it (`-q -d CLOCK` and `--help-query-gpu` of driver 580 on an H200 have none).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.system import CommandResult, System

CSV = "--format=csv,noheader,nounits"
QUERY = ("nvidia-smi", "--query-gpu=clocks.gr,clocks.max.gr", CSV)
QUERY_SUPPORTED = ("nvidia-smi", "--query-supported-clocks=gr", CSV)
LIMIT_S = 20.0
"""A driver that starts for this call needs some seconds."""

NOT_SUPPORTED = "not supported"
"""Said with exit code 0: nvidia-smi treats it as a warning and moves on."""


@dataclass(frozen=True)
class GpuClocks:
    """In MHz, of the fastest GPU. `supported`: none where the driver does not list them."""

    current_mhz: int | None
    highest_mhz: int | None
    supported_mhz: tuple[int, ...] = ()


def read_clocks(system: System) -> GpuClocks:
    """Raises StepError where nvidia-smi does not answer."""
    answer = _require(system.run(list(QUERY), timeout_s=LIMIT_S))
    supported = system.run(list(QUERY_SUPPORTED), timeout_s=LIMIT_S)
    return parse_clocks(answer.out, supported.out if supported.code == 0 else "")


def parse_clocks(text: str, supported: str) -> GpuClocks:
    """Pure. Raises StepError where no GPU is in the answer."""
    rows = [line.split(",") for line in text.splitlines() if line.count(",") == 1]
    if not rows:
        raise StepError("nvidia-smi: no GPU in the answer")
    current, highest = (_parse_clocks(column) for column in zip(*rows, strict=True))
    listed = sorted({*_parse_clocks(supported.splitlines())})
    return GpuClocks(max(current, default=None), max(highest, default=None), tuple(listed))


def _parse_clocks(cells: Iterable[str]) -> list[int]:
    """Those that are numbers: what a driver does not know is [N/A]."""
    return [int(cell) for cell in cells if cell.strip().isascii() and cell.strip().isdigit()]


def set_limit(system: System, mhz: int) -> None:
    _require(system.run(build_limit_command(mhz), timeout_s=LIMIT_S))


def build_limit_command(mhz: int) -> list[str]:
    return ["nvidia-smi", "-lgc", f"0,{mhz}"]


def reset_limit(system: System) -> None:
    _require(system.run(["nvidia-smi", "-rgc"], timeout_s=LIMIT_S))


def _require(result: CommandResult) -> CommandResult:
    lines = [line.strip() for line in f"{result.out}\n{result.err}".splitlines()]
    refusal = next((line for line in lines if NOT_SUPPORTED in line), None)
    if result.code or refusal:
        reason = (refusal or get_last_line(result)).removeprefix("nvidia-smi: ")
        raise StepError(f"nvidia-smi: {reason}"[:200])
    return result
