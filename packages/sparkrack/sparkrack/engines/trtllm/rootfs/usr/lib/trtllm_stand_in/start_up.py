"""The start of one rank: its checks, the lines that the real engine prints, and its faults."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict, dataclass

from . import faults, knowledge, machine


@dataclass(frozen=True)
class RankOrder:
    """What the server asks of every rank."""

    model: str
    revision: str
    world: int
    cuda_graphs: bool
    autotuner: bool

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def print_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def begin(rank: int, order: RankOrder) -> None:
    """Load and warm up. Raises Refusal; a fault may end or stop the process.

    The lines are those of 1.2.0rc2 and later; a progress bar there is a line here.
    """
    print_line(
        f"trtllm-stand-in: rank {rank} of {order.world} on {os.uname().nodename}: no TensorRT-LLM"
    )
    print_line(f"[TensorRT-LLM] TensorRT LLM version: {knowledge.get_version_text()}")
    fault, phase_s = faults.read_fault()
    folder = machine.check(order.world, order.model, order.revision, os.environ)
    weights = sorted(path.name for path in folder.glob("*.safetensors")) or ["none"]
    for loaded in range(len(weights) + 1):
        percent = 100 * loaded // len(weights)
        bar = f"{percent:3}%|{'█' * (percent // 10):10}| {loaded}/{len(weights)}"
        print_line(f"Loading safetensors weights in parallel: {bar}")
        time.sleep(phase_s)
        if fault == "hang":
            faults.hang()
    print_line(f"Model init total -- {phase_s:.2f}s")
    _warm_up(order, fault, phase_s)


def _warm_up(order: RankOrder, fault: str, phase_s: float) -> None:
    if order.autotuner:
        print_line("[Autotuner] Autotuning process starts ...")
    if fault == "socket-fallback":
        print_line("NCCL INFO NET/IB : No device found.")
        print_line("NCCL INFO Using network Socket")
    faults.fail_in_warm_up(fault)
    time.sleep(phase_s)
    if order.autotuner:
        print_line("[Autotuner] Autotuning process ends")
    if order.cuda_graphs:
        print_line("Creating CUDA graph instances for 1 batch sizes.")


def apply_serving_fault() -> None:
    """Apply the fault of a rank that already serves."""
    fault, _ = faults.read_fault()
    if fault == "hang-after-ready":
        faults.hang()
    if fault == "dead-rank":
        faults.fail_in_warm_up(fault)
