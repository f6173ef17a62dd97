"""The packages of native engines: locks with digests, and what is known of vLLM's kernels."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sparkform.catalogue.store import DATA

PACKAGES = DATA / "native" / "vllm.txt"
NCCL = DATA / "native" / "nccl.txt"
PYTHON = "3.12"
"""DGX OS 7 is Ubuntu 24.04."""

ARCHITECTURE = "aarch64"
PACKAGES_BYTES = 12 * 2**30
"""The wheels of the lock are 7.5 GiB unpacked and 3.6 GiB packed (added up over the files, November
2026); beside the unpacked ones, their compiled modules and at most 12 packed ones lie at a time."""

NCCL_BYTES = 2**29
"""0.24 GiB unpacked and 0.20 packed, which lie side by side for a moment."""

BLOCK_KERNEL = "CutlassFp8BlockScaledMMKernel"
SCALED_KERNEL = "CutlassFP8ScaledMMLinearKernel"
GUARDED_KERNELS = (SCALED_KERNEL, BLOCK_KERNEL)
"""vllm-project/vllm issues 43367 and 40758: on a GB10 both end in `Error Internal` at start."""

FIRST_WITHOUT_GUARD = (0, 22, 1)
"""Read in the aarch64 wheels (November 2026): 0.18.1 and 0.20.2 hold kernels behind a check for
sm_120 alone (`enable_sm120_only`), 0.22.1, 0.23.0, 0.26.0, 0.29.0 and 0.32.0 kernels of the whole
family (`enable_sm120_family`, cubins of sm_120f). Pull request 52708 saw those run on a GB10."""

BROKEN_CUDA = "cu12"
"""Builds for CUDA 12 have no family code: sm_120a fails on sm_121 (issue 43367)."""


@cache
def read_lock(path: Path) -> str:
    """The lines of a lock without its comments: what a node is sent."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))
