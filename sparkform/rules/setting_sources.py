"""Where each engine takes a setting from: its key in the stack file, its options, its variables.

Options: tensorrt_llm/commands/serve.py (trtllm-serve) and vllm/config (vllm serve).
Names as `arguments.normalize_option` gives them. Engines do not read `fake_variables`; they are
listed so that a rule sees what their author meant.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SettingSource:
    """`key` is the camelCase key, `attribute` its name in the spec, `part` a name inside its block;
    None: no key of its own."""

    key: str | None = None
    attribute: str | None = None
    part: str | None = None
    options: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    fake_variables: tuple[str, ...] = ()


TRTLLM_SOURCES: dict[str, SettingSource] = {
    "tensor_parallel": SettingSource(
        key="tensorParallel",
        attribute="tensor_parallel",
        options=("tp_size", "tensor_parallel_size"),
    ),
    "pipeline_parallel": SettingSource(
        key="pipelineParallel",
        attribute="pipeline_parallel",
        options=("pp_size", "pipeline_parallel_size"),
    ),
    "data_parallel": SettingSource(key="dataParallel", attribute="data_parallel"),
    "max_batch_size": SettingSource(
        key="maxBatchSize", attribute="max_batch_size", options=("max_batch_size",)
    ),
    "max_num_tokens": SettingSource(
        key="maxNumTokens", attribute="max_num_tokens", options=("max_num_tokens",)
    ),
    "max_seq_len": SettingSource(
        key="maxSeqLen", attribute="max_seq_len", options=("max_seq_len",)
    ),
    "memory_fraction": SettingSource(
        key="freeGpuMemoryFraction",
        attribute="free_gpu_memory_fraction",
        options=("kv_cache_free_gpu_memory_fraction", "free_gpu_memory_fraction"),
    ),
    "kv_cache_dtype": SettingSource(
        key="kvCacheDtype", attribute="kv_cache_dtype", options=("kv_cache_dtype",)
    ),
    "host": SettingSource(key="bind", attribute="bind", options=("host",)),
    "port": SettingSource(key="port", attribute="port", options=("port",)),
    "backend": SettingSource(options=("backend",)),
    "revision": SettingSource(key="revision", attribute="revision", options=("revision",)),
    "served_name": SettingSource(
        key="servedName", attribute="served_name", options=("served_model_name",)
    ),
    "trust_remote_code": SettingSource(
        key="trustRemoteCode", attribute="trust_remote_code", options=("trust_remote_code",)
    ),
    "reasoning_parser": SettingSource(
        key="reasoningParser", attribute="reasoning_parser", options=("reasoning_parser",)
    ),
    "tool_parser": SettingSource(
        key="toolParser", attribute="tool_parser", options=("tool_parser",)
    ),
    "moe_backend": SettingSource(
        key="moeBackend", attribute="moe_backend", options=("moe_config.backend", "moe_backend")
    ),
    "attention_backend": SettingSource(
        key="attentionBackend",
        attribute="attention_backend",
        options=("attn_backend", "attention_backend"),
    ),
    "all_reduce": SettingSource(
        key="allReduce",
        attribute="all_reduce",
        options=("allreduce_strategy",),
        fake_variables=("TRTLLM_ALLREDUCE_STRATEGY",),
    ),
    "autotuner": SettingSource(
        key="autotuner", attribute="autotuner", options=("enable_autotuner",)
    ),
    "cuda_graph": SettingSource(
        key="cudaGraph", attribute="cuda_graph", options=("cuda_graph_config", "cuda_graph")
    ),
    "graph_max_batch_size": SettingSource(options=("cuda_graph_config.max_batch_size",)),
    "host_cache_size": SettingSource(
        options=("kv_cache_config.host_cache_size", "host_cache_size")
    ),
    "speculative_method": SettingSource(
        options=("speculative_config.decoding_type", "speculative_config")
    ),
}

VLLM_SOURCES: dict[str, SettingSource] = {
    "tensor_parallel": SettingSource(
        key="tensorParallel",
        attribute="tensor_parallel",
        options=("tensor_parallel_size", "tp"),
    ),
    "pipeline_parallel": SettingSource(
        key="pipelineParallel",
        attribute="pipeline_parallel",
        options=("pipeline_parallel_size", "pp"),
    ),
    "data_parallel": SettingSource(
        key="dataParallel", attribute="data_parallel", options=("data_parallel_size", "dp")
    ),
    "max_batch_size": SettingSource(
        key="maxBatchSize", attribute="max_batch_size", options=("max_num_seqs",)
    ),
    "max_num_tokens": SettingSource(options=("max_num_batched_tokens",)),
    "max_seq_len": SettingSource(
        key="maxSeqLen", attribute="max_seq_len", options=("max_model_len",)
    ),
    "memory_fraction": SettingSource(
        key="gpuMemoryUtilization",
        attribute="gpu_memory_utilization",
        options=("gpu_memory_utilization",),
    ),
    "kv_cache_bytes": SettingSource(options=("kv_cache_memory_bytes", "kv_cache_memory")),
    "kv_cache_dtype": SettingSource(
        key="kvCacheDtype", attribute="kv_cache_dtype", options=("kv_cache_dtype",)
    ),
    "host": SettingSource(key="bind", attribute="bind", options=("host",)),
    "port": SettingSource(key="port", attribute="port", options=("port",)),
    "launcher": SettingSource(
        key="launcher", attribute="launcher", options=("distributed_executor_backend",)
    ),
    "revision": SettingSource(key="revision", attribute="revision", options=("revision",)),
    "quantization": SettingSource(
        key="quantization", attribute="quantization", options=("quantization", "q")
    ),
    "moe_backend": SettingSource(
        key="moeBackend",
        attribute="moe_backend",
        options=("moe_backend", "kernel_config.moe_backend"),
    ),
    "draft_moe_backend": SettingSource(options=("speculative_config.moe_backend",)),
    "draft_attention_backend": SettingSource(
        key="speculative",
        attribute="speculative",
        part="attention_backend",
        options=("speculative_config.attention_backend",),
    ),
    "prefix_caching": SettingSource(options=("enable_prefix_caching",)),
    "linear_backend": SettingSource(options=("linear_backend",)),
    "attention_backend": SettingSource(
        options=("attention_backend", "attention_config.backend"),
        variables=("VLLM_ATTENTION_BACKEND",),
    ),
    "enforce_eager": SettingSource(
        key="enforceEager", attribute="enforce_eager", options=("enforce_eager",)
    ),
    "cudagraph_mode": SettingSource(
        options=("compilation_config.cudagraph_mode", "cc.cudagraph_mode", "o.cudagraph_mode")
    ),
    "speculative_method": SettingSource(
        key="speculative",
        attribute="speculative",
        part="method",
        options=("speculative_config.method", "speculative_config", "spec_method"),
    ),
    "speculative_tokens": SettingSource(
        key="speculative",
        attribute="speculative",
        part="tokens",
        options=("speculative_config.num_speculative_tokens", "spec_tokens"),
    ),
    "load_format": SettingSource(options=("load_format",)),
    "nodes": SettingSource(options=("nnodes", "n")),
    "node_rank": SettingSource(options=("node_rank", "r")),
    "master_address": SettingSource(options=("master_addr",), variables=("MASTER_ADDR",)),
    "master_port": SettingSource(options=("master_port",)),
    "headless": SettingSource(options=("headless",)),
    "trust_remote_code": SettingSource(
        key="trustRemoteCode", attribute="trust_remote_code", options=("trust_remote_code",)
    ),
}

SOURCES: dict[str, dict[str, SettingSource]] = {"trtllm": TRTLLM_SOURCES, "vllm": VLLM_SOURCES}
