"""Where each engine takes a setting from: its key in the stack file, its options, its variables.

Options: tensorrt_llm/commands/serve.py (trtllm-serve) and vllm/config (vllm serve).
Names as `arguments.normal` gives them. A name in `unreal` is not read by the engine;
it is listed so that a rule sees what its author meant.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Source:
    """`key` is the camelCase key, `attribute` its name in the spec; None: no key of its own."""

    key: str | None = None
    attribute: str | None = None
    options: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    unreal: tuple[str, ...] = ()


TRTLLM: dict[str, Source] = {
    "tensor_parallel": Source(
        key="tensorParallel",
        attribute="tensor_parallel",
        options=("tp_size", "tensor_parallel_size"),
    ),
    "pipeline_parallel": Source(
        key="pipelineParallel",
        attribute="pipeline_parallel",
        options=("pp_size", "pipeline_parallel_size"),
    ),
    "data_parallel": Source(key="dataParallel", attribute="data_parallel"),
    "max_batch_size": Source(
        key="maxBatchSize", attribute="max_batch_size", options=("max_batch_size",)
    ),
    "max_num_tokens": Source(
        key="maxNumTokens", attribute="max_num_tokens", options=("max_num_tokens",)
    ),
    "max_seq_len": Source(key="maxSeqLen", attribute="max_seq_len", options=("max_seq_len",)),
    "memory_fraction": Source(
        key="freeGpuMemoryFraction",
        attribute="free_gpu_memory_fraction",
        options=("kv_cache_free_gpu_memory_fraction", "free_gpu_memory_fraction"),
    ),
    "kv_cache_dtype": Source(
        key="kvCacheDtype", attribute="kv_cache_dtype", options=("kv_cache_dtype",)
    ),
    "host": Source(key="bind", attribute="bind", options=("host",)),
    "port": Source(key="port", attribute="port", options=("port",)),
    "backend": Source(options=("backend",)),
    "revision": Source(key="revision", attribute="revision", options=("revision",)),
    "served_name": Source(
        key="servedName", attribute="served_name", options=("served_model_name",)
    ),
    "trust_remote_code": Source(
        key="trustRemoteCode", attribute="trust_remote_code", options=("trust_remote_code",)
    ),
    "reasoning_parser": Source(
        key="reasoningParser", attribute="reasoning_parser", options=("reasoning_parser",)
    ),
    "tool_parser": Source(key="toolParser", attribute="tool_parser", options=("tool_parser",)),
    "moe_backend": Source(
        key="moeBackend", attribute="moe_backend", options=("moe_config.backend", "moe_backend")
    ),
    "attention_backend": Source(
        key="attentionBackend",
        attribute="attention_backend",
        options=("attn_backend", "attention_backend"),
    ),
    "all_reduce": Source(
        key="allReduce",
        attribute="all_reduce",
        options=("allreduce_strategy",),
        unreal=("TRTLLM_ALLREDUCE_STRATEGY",),
    ),
    "autotuner": Source(key="autotuner", attribute="autotuner", options=("enable_autotuner",)),
    "cuda_graph": Source(
        key="cudaGraph", attribute="cuda_graph", options=("cuda_graph_config", "cuda_graph")
    ),
    "graph_max_batch_size": Source(options=("cuda_graph_config.max_batch_size",)),
    "host_cache_size": Source(options=("kv_cache_config.host_cache_size", "host_cache_size")),
    "speculative_method": Source(
        options=("speculative_config.decoding_type", "speculative_config")
    ),
}

VLLM: dict[str, Source] = {
    "tensor_parallel": Source(
        key="tensorParallel",
        attribute="tensor_parallel",
        options=("tensor_parallel_size", "tp"),
    ),
    "pipeline_parallel": Source(
        key="pipelineParallel",
        attribute="pipeline_parallel",
        options=("pipeline_parallel_size", "pp"),
    ),
    "data_parallel": Source(
        key="dataParallel", attribute="data_parallel", options=("data_parallel_size", "dp")
    ),
    "max_batch_size": Source(
        key="maxBatchSize", attribute="max_batch_size", options=("max_num_seqs",)
    ),
    "max_num_tokens": Source(options=("max_num_batched_tokens",)),
    "max_seq_len": Source(key="maxSeqLen", attribute="max_seq_len", options=("max_model_len",)),
    "memory_fraction": Source(
        key="gpuMemoryUtilization",
        attribute="gpu_memory_utilization",
        options=("gpu_memory_utilization",),
    ),
    "kv_cache_bytes": Source(options=("kv_cache_memory_bytes", "kv_cache_memory")),
    "kv_cache_dtype": Source(
        key="kvCacheDtype", attribute="kv_cache_dtype", options=("kv_cache_dtype",)
    ),
    "host": Source(key="bind", attribute="bind", options=("host",)),
    "port": Source(key="port", attribute="port", options=("port",)),
    "launcher": Source(
        key="launcher", attribute="launcher", options=("distributed_executor_backend",)
    ),
    "revision": Source(key="revision", attribute="revision", options=("revision",)),
    "quantization": Source(
        key="quantization", attribute="quantization", options=("quantization", "q")
    ),
    "moe_backend": Source(
        key="moeBackend", attribute="moe_backend", options=("moe_backend", "kernel_config.moe")
    ),
    "linear_backend": Source(options=("linear_backend",)),
    "attention_backend": Source(
        options=("attention_backend", "attention_config.backend"),
        variables=("VLLM_ATTENTION_BACKEND",),
    ),
    "enforce_eager": Source(
        key="enforceEager", attribute="enforce_eager", options=("enforce_eager",)
    ),
    "cudagraph_mode": Source(
        options=("compilation_config.cudagraph_mode", "cc.cudagraph_mode", "o.cudagraph_mode")
    ),
    "speculative_method": Source(
        key="speculative",
        attribute="speculative",
        options=("speculative_config.method", "speculative_config", "spec_method"),
    ),
    "nodes": Source(options=("nnodes", "n")),
    "node_rank": Source(options=("node_rank", "r")),
    "master_address": Source(options=("master_addr",), variables=("MASTER_ADDR",)),
    "master_port": Source(options=("master_port",)),
    "headless": Source(options=("headless",)),
    "trust_remote_code": Source(
        key="trustRemoteCode", attribute="trust_remote_code", options=("trust_remote_code",)
    ),
}

SOURCES: dict[str, dict[str, Source]] = {"trtllm": TRTLLM, "vllm": VLLM}
