"""The engine file of TensorRT-LLM: every tunable, once."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from sparkform.config import CudaGraph, TrtllmService

ENGINE_FILE_OPTIONS = {
    "--max_batch_size": "maxBatchSize",
    "--max_num_tokens": "maxNumTokens",
    "--max_seq_len": "maxSeqLen",
    "--free_gpu_memory_fraction": "freeGpuMemoryFraction",
    "--kv_cache_free_gpu_memory_fraction": "freeGpuMemoryFraction",
    "--kv_cache_dtype": "kvCacheDtype",
}
"""Options of trtllm-serve whose setting stands in the engine file, with the service's key for it.

Up to about 1.3.0rc18 the file silently wins over such an option, later the option wins over the
file (NVIDIA/TensorRT-LLM PR 14812): a setting stands in one place only.
"""


def build_engine_settings(declared: TrtllmService, all_reduce: str) -> dict[str, object]:
    """The content of the file, in a fixed order."""
    content: dict[str, object | None] = {
        "print_iter_log": False,
        "max_batch_size": declared.max_batch_size,
        "max_num_tokens": declared.max_num_tokens,
        "max_seq_len": declared.max_seq_len,
        "kv_cache_config": _build_kv_cache_config(declared),
        "moe_config": {"backend": declared.moe_backend} if declared.moe_backend else None,
        "attn_backend": declared.attention_backend,
        "allreduce_strategy": all_reduce,
        "enable_autotuner": declared.autotuner,
        "speculative_config": _build_speculative_config(declared),
    }
    given_settings: dict[str, object] = {
        key: value for key, value in content.items() if value is not None
    }
    return given_settings | {"cuda_graph_config": build_cuda_graph_config(declared.cuda_graph)}


def build_cuda_graph_config(declared: bool | CudaGraph) -> Mapping[str, object] | None:
    """None is written as null: only that switches graphs off, an absent key means on
    (tensorrt_llm/llmapi/llm_args.py@0004396)."""
    if isinstance(declared, CudaGraph):
        return {"enable_padding": True, "max_batch_size": declared.max_batch_size}
    return {"enable_padding": True} if declared else None


def render_yaml(content: Mapping[str, object]) -> str:
    """The file's text."""
    text: str = yaml.safe_dump(dict(content), sort_keys=False, default_flow_style=False)
    return text


def _build_speculative_config(declared: TrtllmService) -> dict[str, object] | None:
    """As in NVIDIA/TensorRT-LLM, docs/source/blogs/tech_blog/blog2 (MTP of DeepSeek R1)."""
    if declared.mtp_tokens is None:
        return None
    return {"decoding_type": "MTP", "num_nextn_predict_layers": declared.mtp_tokens}


def _build_kv_cache_config(declared: TrtllmService) -> dict[str, object]:
    cache: dict[str, object] = {"dtype": declared.kv_cache_dtype}
    if declared.free_gpu_memory_fraction is not None:
        cache["free_gpu_memory_fraction"] = declared.free_gpu_memory_fraction
    if declared.cache_reuse is not None:
        cache["enable_block_reuse"] = declared.cache_reuse
    if declared.mamba_cache_dtype is not None:
        cache["mamba_ssm_cache_dtype"] = declared.mamba_cache_dtype
    return cache
