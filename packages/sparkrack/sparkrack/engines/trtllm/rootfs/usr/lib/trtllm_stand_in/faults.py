"""The fault of a rank, from a file that the rack writes or from the image's environment.

The texts are those that users reported of the real engine.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from .refusals import Refusal

PANEL = Path("/etc/rack/faults/engine")
VARIABLE = "TRTLLM_STAND_IN_FAULT"
DEFAULT_PHASE_S = 0.3

TEXTS = {
    # NVIDIA/TensorRT-LLM issue 8474
    "attention-sinks": (
        "RuntimeError: [TensorRT-LLM][ERROR] Assertion failed: "
        "The attention sinks is only supported on SM90"
    ),
    "missing-kernel": "NotImplementedError: TRTLLMGenFusedMoE does not support SM120 and above.",
    # pytorch, c10/cuda/CUDACachingAllocator.cpp
    "out-of-memory": (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total "
        "capacity of 119.70 GiB of which 1.03 GiB is free."
    ),
    # nccl, misc/ibvwrap.cc; eugr/spark-vllm-docker issue 252
    "nccl-timeout": (
        "NCCL WARN Call to ibv_modify_qp failed with error Connection timed out\n"
        "RuntimeError: NCCL error: unhandled system error"
    ),
}
ACTIONS = ("hang", "hang-after-ready", "double-free", "dead-rank", "socket-fallback", "slow")
NAMES = (*TEXTS, *ACTIONS)


def read_fault() -> tuple[str, float]:
    """The fault and the seconds of each phase of the start, as `slow:5`. The panel wins.

    Raises Refusal for a fault that there is not.
    """
    text = PANEL.read_text() if PANEL.is_file() else os.environ.get(VARIABLE, "")
    name, _, seconds = text.strip().partition(":")
    if name and name not in NAMES:
        raise Refusal(f"stand-in: unknown fault {name}; known: {', '.join(NAMES)}")
    return name, float(seconds) if seconds else DEFAULT_PHASE_S


def fail_in_warm_up(name: str) -> None:
    """Fail where the engine first runs its kernels. Raises Refusal with the reported text."""
    if name in TEXTS:
        raise Refusal(TEXTS[name])
    if name == "double-free":
        free_twice()
    if name == "dead-rank":
        os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    """Never return, and print nothing."""
    while True:
        time.sleep(3600)


def free_twice() -> None:
    """A real one: the C library finds it and aborts the process (issue 2953's text)."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    block = library.malloc(64)
    library.free(block)
    library.free(block)
    os.abort()
