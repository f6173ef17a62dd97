"""The keys of a service that options, and keys of TensorRT-LLM's file, become."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

from sparkform.config.service_parts import AdapterRank
from sparkform.recipes.recipe import Piece
from sparkform.rules.settings import Setting

Reader = Callable[[str], object]
PLACE = "sparkform tells each rank its place"
DEFAULT_ALREADY = "as sparkform has it"
SPECULATIVE_KEYS = {
    "method": "method",
    "num_speculative_tokens": "tokens",
    "model": "model",
    "draft_tensor_parallel_size": "ranks",
    "quantization": "quantization",
    "moe_backend": "moeBackend",
    "attention_backend": "attentionBackend",
}


ADAPTER_RANK = "adapters.rank"
"""vLLM has one rank for all adapters."""
BROUGHT_BY_ADAPTERS = ("--enable-lora", "--max-loras")
HANDLE = re.compile(r"[\w.-]+/[\w.-]+")

TASKS: Mapping[str, str] = {
    "generate": "generate",
    "embed": "embed",
    "embedding": "embed",
    "classify": "rerank",
    "score": "rerank",
}
"""vLLM's older --task, and its --convert, by what they make a model answer with."""


def read_text(text: str) -> object:
    return text or None


def read_integer(text: str) -> object:
    """8k is 8,000 and 8K 8,192, as for vLLM. None: no number, like auto."""
    number = Setting(text, "").integer
    return number if number is not None and number > 0 else None


def read_fraction(text: str) -> object:
    number = Setting(text, "").number
    return number if number is not None and 0 < number <= 1 else None


def read_flag(text: str) -> object:
    folded = text.lower()
    return {"true": True, "false": False, "": True, "1": True, "0": False}.get(folded)


def read_first_word(text: str) -> object:
    """vLLM serves a model under several names; a service has one."""
    return text.split()[0] if text.split() else None


def read_path(text: str) -> object:
    """A path that the engine sees; a bare name would be one of the service's own files."""
    return text if "/" in text else None


def read_launcher(text: str) -> object:
    return text if text in ("mp", "ray") else None


def read_adapters(text: str) -> object:
    """None where one of them is no handle: a folder is not brought to the nodes."""
    pairs = [word.partition("=") for word in text.split()]
    if not all(name and HANDLE.fullmatch(model) for name, _, model in pairs):
        return None
    return [{"name": name, "model": model} for name, _, model in pairs]


def read_rank(text: str) -> object:
    """The next rank that vLLM has room for."""
    number = Setting(text, "").integer or 0
    return next((rank for rank in get_args(AdapterRank) if rank >= number > 0), None)


def read_speculative(text: str) -> object:
    """None where a key of it has none of ours."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if not isinstance(content, dict) or not set(content) <= set(SPECULATIVE_KEYS):
        return None
    if not {"method", "num_speculative_tokens"} <= set(content):
        return None
    return {SPECULATIVE_KEYS[key]: value for key, value in content.items()}


@dataclass(frozen=True)
class OptionKey:
    """`reason` instead of a key: the piece is left out for it."""

    key: str | None = None
    read: Reader = read_text
    reason: str | None = None


def _drop(reason: str) -> OptionKey:
    return OptionKey(reason=reason)


VLLM: Mapping[str, OptionKey] = {
    "--task": OptionKey("task", TASKS.get),
    "--runner": OptionKey("task", {"pooling": "embed", "generate": "generate"}.get),
    "--convert": OptionKey("task", TASKS.get),
    "--served-model-name": OptionKey("servedName", read_first_word),
    "--host": OptionKey("bind"),
    "--port": OptionKey("port", read_integer),
    "--revision": OptionKey("revision"),
    "--tensor-parallel-size": OptionKey("tensorParallel", read_integer),
    "--pipeline-parallel-size": OptionKey("pipelineParallel", read_integer),
    "--data-parallel-size": OptionKey("dataParallel", read_integer),
    "--distributed-executor-backend": OptionKey("launcher", read_launcher),
    "--max-num-seqs": OptionKey("maxBatchSize", read_integer),
    "--max-model-len": OptionKey("maxSeqLen", read_integer),
    "--gpu-memory-utilization": OptionKey("gpuMemoryUtilization", read_fraction),
    "--kv-cache-dtype": OptionKey("kvCacheDtype"),
    "--quantization": OptionKey("quantization"),
    "--moe-backend": OptionKey("moeBackend"),
    "--lora-modules": OptionKey("adapters", read_adapters),
    "--max-lora-rank": OptionKey(ADAPTER_RANK, read_rank),
    "--speculative-config": OptionKey("speculative", read_speculative),
    "--chat-template": OptionKey("chatTemplate", read_path),
    "--reasoning-parser": OptionKey("reasoningParser"),
    "--reasoning-parser-plugin": OptionKey("reasoningParserPlugin", read_path),
    "--tool-parser-plugin": OptionKey("toolParserPlugin", read_path),
    "--tool-call-parser": OptionKey("toolParser"),
    "--enforce-eager": OptionKey("enforceEager", read_flag),
    "--trust-remote-code": OptionKey("trustRemoteCode", read_flag),
    "--nnodes": _drop(PLACE),
    "--node-rank": _drop(PLACE),
    "--master-addr": _drop(PLACE),
    "--master-port": _drop(PLACE),
    "--headless": _drop(PLACE),
    "--data-parallel-address": _drop(PLACE),
    "--data-parallel-rpc-port": _drop(PLACE),
    "--data-parallel-size-local": _drop(PLACE),
    "--data-parallel-start-rank": _drop(PLACE),
    "--download-dir": _drop("sparkform brings models to cluster.modelDirectory"),
    "--config": _drop("a file that is not here: give its keys as keys of the service"),
}
TRTLLM: Mapping[str, OptionKey] = {
    "--tp_size": OptionKey("tensorParallel", read_integer),
    "--pp_size": OptionKey("pipelineParallel", read_integer),
    "--max_batch_size": OptionKey("maxBatchSize", read_integer),
    "--max_num_tokens": OptionKey("maxNumTokens", read_integer),
    "--max_seq_len": OptionKey("maxSeqLen", read_integer),
    "--free_gpu_memory_fraction": OptionKey("freeGpuMemoryFraction", read_fraction),
    "--kv_cache_free_gpu_memory_fraction": OptionKey("freeGpuMemoryFraction", read_fraction),
    "--kv_cache_dtype": OptionKey("kvCacheDtype"),
    "--host": OptionKey("bind"),
    "--port": OptionKey("port", read_integer),
    "--revision": OptionKey("revision"),
    "--served_model_name": OptionKey("servedName", read_first_word),
    "--trust_remote_code": OptionKey("trustRemoteCode", read_flag),
    "--reasoning_parser": OptionKey("reasoningParser"),
    "--tool_parser": OptionKey("toolParser"),
    "--gpus_per_node": _drop("a Spark has one GPU"),
    "--log_level": _drop("no key of a service says it"),
}
TRTLLM_FILE: Mapping[str, OptionKey] = {
    "max_batch_size": OptionKey("maxBatchSize", read_integer),
    "max_num_tokens": OptionKey("maxNumTokens", read_integer),
    "max_seq_len": OptionKey("maxSeqLen", read_integer),
    "kv_cache_config.dtype": OptionKey("kvCacheDtype"),
    "kv_cache_config.free_gpu_memory_fraction": OptionKey("freeGpuMemoryFraction", read_fraction),
    "kv_cache_config.enable_block_reuse": OptionKey("cacheReuse", read_flag),
    "kv_cache_config.mamba_ssm_cache_dtype": OptionKey("mambaCacheDtype"),
    "speculative_config.num_nextn_predict_layers": OptionKey("mtpTokens", read_integer),
    "speculative_config.decoding_type": _drop("mtpTokens means MTP; no key says another"),
    "moe_config.backend": OptionKey("moeBackend"),
    "attn_backend": OptionKey("attentionBackend"),
    "allreduce_strategy": OptionKey("allReduce"),
    "enable_autotuner": OptionKey("autotuner", read_flag),
    "cuda_graph_config": OptionKey("cudaGraph", lambda text: False if text == "null" else None),
    "cuda_graph_config.max_batch_size": OptionKey("cudaGraph.maxBatchSize", read_integer),
    "cuda_graph_config.enable_padding": _drop(DEFAULT_ALREADY),
    "print_iter_log": _drop(DEFAULT_ALREADY),
}
ALWAYS_PLANNED = frozenset(
    {
        "--host",
        "--port",
        "--tensor-parallel-size",
        "--tp_size",
        "--pp_size",
        "--pipeline-parallel-size",
        "--kv-cache-dtype",
        "--kv_cache_dtype",
    }
)
"""Options that a launch always has: what cannot be read as their key cannot be added either."""


def describe_fixed(piece: Piece, name: str) -> str | None:
    """Why a piece is said already by what sparkform always does, None where it is not."""
    if name == "--enable-auto-tool-choice":
        return "toolParser brings it along"
    if name == "--backend" and (piece.value or "").lower() == "pytorch":
        return DEFAULT_ALREADY
    return None
