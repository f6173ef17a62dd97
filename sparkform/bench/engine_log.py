"""What an engine's log says of its KV cache. Pure.

vLLM: v1/worker/gpu_worker.py and v1/core/kv_cache_utils.py (0.32.0). TensorRT-LLM:
cpp/tensorrt_llm/batch_manager/kvCacheManager.cpp, "Allocated %0.2f GiB for max tokens in paged KV
cache (%d)".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

VLLM_GIB = re.compile(r"Available KV cache memory: ([0-9.]+) GiB")
VLLM_TOKENS = re.compile(r"KV cache size: ([0-9,]+) tokens")
TRTLLM = re.compile(r"Allocated ([0-9.]+) GiB for max tokens in paged KV cache \(([0-9]+)\)")


class CacheSize(NamedTuple):
    """Of one rank; None where the log does not tell."""

    gib: float | None = None
    tokens: int | None = None


def parse_cache_size(lines: Iterable[str]) -> CacheSize:
    """Of the last start that the lines tell of.

    >>> parse_cache_size(["Available KV cache memory: 47.01 GiB", "GPU KV cache size: 1,024 tokens"]
    ... )
    CacheSize(gib=47.01, tokens=1024)
    >>> parse_cache_size(["Allocated 26.91 GiB for max tokens in paged KV cache (64)."])
    CacheSize(gib=26.91, tokens=64)
    """
    size = CacheSize()
    for line in lines:
        if match := TRTLLM.search(line):
            size = CacheSize(float(match[1]), int(match[2]))
        elif match := VLLM_GIB.search(line):
            size = size._replace(gib=float(match[1]))
        elif match := VLLM_TOKENS.search(line):
            size = size._replace(tokens=int(match[1].replace(",", "")))
    return size
