"""The options of `vllm serve`: the same on all ranks, and each rank's place among the others.

They were read in the wheels of vLLM 0.11.1, 0.12.0, 0.14.0 to 0.18.1, 0.26.0 and 0.32.0
(vllm/engine/arg_utils.py, entrypoints/**/cli_args.py): all are in each of them, but for those in
`FIRST_VERSIONS`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sparkform.config import Adapter, Speculative, VllmService
from sparkform.launch.arguments import format_options
from sparkform.launch.members import ServiceMember
from sparkform.launch.request import LaunchRequest
from sparkform.versions import Version

FIRST_VERSIONS = {
    "--nnodes": Version("0.11.1"),
    "--runner": Version("0.10.1"),
    "--moe-backend": Version("0.17.0"),
}
"""First version that was seen with an option; the rule engine-age reads it. `--nnodes`: vLLM's own
notes of 0.11.1 (its releases); `--moe-backend`: not in 0.16.0, in 0.17.0; `--runner`: --task in the
documentation of 0.10.0, --runner in that of 0.10.1.1 (docs.vllm.ai, models/pooling_models)."""

POOLING = "pooling"
"""vLLM's runner of models that answer with numbers: embeddings, or scores. What such a model gives
follows from its architecture (docs.vllm.ai/en/v0.18.0/models/pooling_models)."""

ALIASES = {
    "-tp": "--tensor-parallel-size",
    "-pp": "--pipeline-parallel-size",
    "-dp": "--data-parallel-size",
    "-n": "--nnodes",
    "-r": "--node-rank",
    "-q": "--quantization",
    "-dpa": "--data-parallel-address",
    "-dpp": "--data-parallel-rpc-port",
}


def build_shared_options(request: LaunchRequest, declared: VllmService) -> dict[str, str | None]:
    """What every rank is given."""
    executor = declared.launcher if request.has_several_ranks else None
    copies = declared.data_parallel
    return format_options(
        {
            "--served-model-name": request.served_name,
            "--runner": POOLING if declared.task != "generate" else None,
            "--host": declared.bind,
            "--port": declared.port,
            "--revision": request.locate_weights(request.head).revision,
            "--tensor-parallel-size": declared.tensor_parallel,
            "--pipeline-parallel-size": declared.pipeline_parallel,
            "--data-parallel-size": copies if copies > 1 else None,
            "--distributed-executor-backend": executor,
            "--max-num-seqs": declared.max_batch_size,
            "--max-model-len": declared.max_seq_len,
            "--gpu-memory-utilization": declared.gpu_memory_utilization,
            "--kv-cache-dtype": declared.kv_cache_dtype,
            "--quantization": declared.quantization,
            "--moe-backend": declared.moe_backend,
            "--chat-template": request.locate_file(declared.chat_template),
            "--speculative-config": _render_speculative(declared.speculative),
            "--reasoning-parser": declared.reasoning_parser,
            "--reasoning-parser-plugin": request.locate_file(declared.reasoning_parser_plugin),
            "--enable-auto-tool-choice": declared.tool_parser is not None,
            "--tool-call-parser": declared.tool_parser,
            "--tool-parser-plugin": request.locate_file(declared.tool_parser_plugin),
            "--enforce-eager": declared.enforce_eager,
            "--trust-remote-code": declared.trust_remote_code,
            **_build_adapter_options(declared.adapters),
        }
    )


def build_rank_options(
    request: LaunchRequest, declared: VllmService, member: ServiceMember
) -> dict[str, str | None]:
    """Where this rank stands among the others, by vLLM's own launcher.

    With copies (data parallel) vLLM derives each node's copy from its node rank
    (vllm/engine/arg_utils.py, create_engine_config; 0.11.1 to 0.32.0).
    """
    copies = declared.data_parallel > 1
    return format_options(
        {
            "--nnodes": len(request.members),
            "--master-addr": request.head.address,
            "--master-port": request.ports.master,
            "--data-parallel-address": request.head.address if copies else None,
            "--data-parallel-rpc-port": request.ports.data_parallel if copies else None,
            "--node-rank": member.rank,
            "--headless": member.rank > 0,
        }
    )


def _build_adapter_options(adapters: Sequence[Adapter]) -> dict[str, object]:
    """All of them at once in memory; vLLM looks for each handle in the cache
    (vllm/lora/utils.py, get_adapter_absolute_path; 0.32.0)."""
    if not adapters:
        return {}
    return {
        "--enable-lora": True,
        "--max-loras": len(adapters),
        "--max-lora-rank": max(adapter.rank for adapter in adapters),
    }


def build_adapter_arguments(adapters: Sequence[Adapter]) -> tuple[str, ...]:
    """The one option that takes several values."""
    named = tuple(f"{adapter.name}={adapter.model}" for adapter in adapters)
    return ("--lora-modules", *named) if named else ()


def _render_speculative(declared: Speculative | None) -> str | None:
    """vLLM's JSON for speculative decoding, without blanks (vllm/config/speculative.py@002e77c)."""
    if declared is None:
        return None
    values = {
        "method": declared.method,
        "num_speculative_tokens": declared.tokens,
        "model": declared.model,
        "draft_tensor_parallel_size": declared.ranks,
        "quantization": declared.quantization,
        "moe_backend": declared.moe_backend,
        "attention_backend": declared.attention_backend,
    }
    given = {key: value for key, value in values.items() if value is not None}
    return json.dumps(given, separators=(",", ":"))


def fold_option(argument: str) -> str:
    """vLLM takes --max_model_len for --max-model-len (vllm/utils/argparse_utils.py)."""
    name, equals, value = argument.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if name.startswith("--") else argument
