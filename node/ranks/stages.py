"""How far an engine has come, read from its log. Data; `source` says where each line was read."""

from __future__ import annotations

import re
from dataclasses import dataclass

PERCENT_STEP = 10


@dataclass(frozen=True)
class StartStage:
    """`pattern` is searched in each line; a group in it is a percentage."""

    pattern: str
    text: str
    source: str


# vLLM was read at 0.32.0. TensorRT-LLM: a whole start of 1.1.0rc3 on a Spark, published by its
# user (gpt-oss-120b, 2025-12-20), and tensorrt_llm/_torch/pyexecutor/model_engine.py.
STAGES: tuple[StartStage, ...] = (
    StartStage(
        r"Fetching \d+ files:\s+(\d+)%", "downloading", "huggingface_hub/_snapshot_download.py"
    ),
    StartStage(
        r"Loading (?:safetensors|pt|np_cache) checkpoint shards:\s+(\d+)% Completed",
        "loading",
        "vllm/model_executor/model_loader/weight_utils.py",
    ),
    StartStage(r"Multi-thread loading (?:pt checkpoint )?shards:\s+(\d+)%", "loading", "same file"),
    StartStage(
        r"Loading (?:safetensors )?weights(?: concurrently| in parallel)?:\s+(\d+)%",
        "loading",
        "tensorrt_llm/_torch/models/modeling_utils.py; the published start",
    ),
    StartStage(r"Starting to load model ", "loading", "vllm/v1/worker/gpu_model_runner.py"),
    StartStage(
        r"Prefetching [\d.]+GB checkpoint files",
        "loading",
        "tensorrt_llm/_torch/models/checkpoints/hf/weight_loader.py",
    ),
    StartStage(
        r"Model loading took|Model init total --",
        "loaded",
        "vllm/v1/worker/gpu_model_runner.py; tensorrt_llm/_torch/pyexecutor/model_engine.py",
    ),
    StartStage(
        r"Dynamo bytecode transform time|Compiling a graph for compile range"
        r"|Using cache directory: .*torch\.compile|Warming up model for the compilation",
        "compiling",
        "vllm/compilation/backends.py; vllm/v1/worker/cpu/model_runner.py",
    ),
    StartStage(
        r"Autotuning process starts|Running autotuner warmup",
        "tuning kernels",
        "flashinfer autotuner.py; tensorrt_llm/_torch/pyexecutor/model_engine.py",
    ),
    StartStage(
        r"Capturing CUDA graphs[^:]*:\s+(\d+)%",
        "recording CUDA graphs",
        "vllm/v1/worker/gpu_model_runner.py",
    ),
    StartStage(
        r"Creating CUDA graph instances for \d+ batch sizes",
        "recording CUDA graphs",
        "tensorrt_llm/_torch/pyexecutor/model_engine.py",
    ),
    StartStage(
        r"JIT kernel warmup starting|Warming up FlashInfer|Run warmup with \d+ tokens"
        r"|init engine \(profile, create kv cache, warmup model\)",
        "warming up",
        "vllm/model_executor/warmup/kernel_warmup.py; vllm/v1/engine/core.py; model_engine.py",
    ),
    StartStage(
        r"Application startup complete|Uvicorn running on",
        "the server is open",
        "uvicorn, which serves both engines' APIs",
    ),
)

# Lines that come while nothing moves: vLLM says the first each minute while it hangs, the second
# every ten seconds while it serves nobody, and the third answers our own question.
NO_SIGN = re.compile(
    r"No available shared memory broadcast block found"
    r"|Avg prompt throughput: 0\.0 tokens/s, Avg generation throughput: 0\.0"
    r'|"(GET|POST) /(v1/|health|metrics)'
)


def find_stage(line: str) -> str | None:
    """
    >>> find_stage("Loading weights:  47%|████▋     | 376/801 [00:21<00:24, 17.29it/s]")
    'loading, 40 %'
    """
    for start_stage in STAGES:
        match = re.search(start_stage.pattern, line)
        if match:
            return start_stage.text + (_format_percent(match[1]) if match.groups() else "")
    return None


def is_sign_of_life(line: str) -> bool:
    return bool(line.strip()) and NO_SIGN.search(line) is None


def _format_percent(text: str) -> str:
    """In steps: some engines count up a thousand times."""
    return f", {int(text) // PERCENT_STEP * PERCENT_STEP} %"
