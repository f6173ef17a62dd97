"""What trtllm-serve's command line knows, and what people pass to it in vain."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from sparkform.rules.arguments import Argument
from sparkform.rules.context import ServiceView
from sparkform.rules.images import Version, version_of
from sparkform.rules.outcome import Finding, Outcome
from sparkform.rules.setting_sources import TRTLLM

# tensorrt_llm/commands/serve.py of about 2026-01; short names as `normal` has them.
KNOWN_OPTIONS = frozenset(
    (
        "tokenizer",
        "custom_tokenizer",
        "host",
        "port",
        "backend",
        "log_level",
        "max_beam_width",
        "max_batch_size",
        "max_num_tokens",
        "max_seq_len",
        "tp_size",
        "pp_size",
        "cp_size",
        "ep_size",
        "cluster_size",
        "gpus_per_node",
        "kv_cache_free_gpu_memory_fraction",
        "num_postprocess_workers",
        "trust_remote_code",
        "revision",
        "extra_llm_api_options",
        "reasoning_parser",
        "tool_parser",
        "metadata_server_config_file",
        "server_role",
        "fail_fast_on_attention_window_too_large",
        "otlp_traces_endpoint",
        "disagg_cluster_uri",
        "enable_chunked_prefill",
        "media_io_kwargs",
        "chat_template",
        "custom_module_dirs",
    )
)
# The same source: what came with a later version.
SINCE: dict[str, Version] = {
    "served_model_name": version_of("1.3.0rc7"),
    "kv_cache_dtype": version_of("1.3.0rc7"),
    **dict.fromkeys(
        (
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "context_parallel_size",
            "moe_expert_parallel_size",
            "moe_cluster_parallel_size",
            "free_gpu_memory_fraction",
            "config",
        ),
        version_of("1.3.0rc1"),
    ),
}
ENGINE_FILES = ("extra_llm_api_options", "config")
FAKE_OPTIONS = {
    "allreduce_strategy": "allReduce: NCCL",
    "quantization": "model: the handle of a checkpoint that is quantised already",
    "model": "model: owner/name",
    "enforce_eager": "cudaGraph: false",
    "gpu_memory_utilization": "freeGpuMemoryFraction: 0.8",
}
FAKE_VARIABLES = {
    "TRTLLM_DISABLE_CUDAGRAPH": "cudaGraph: false",
    "TRTLLM_ALLREDUCE_STRATEGY": "allReduce: NCCL",
}
REMOVED_BACKENDS = ("tensorrt", "trt")


def backend_removed(service: ServiceView) -> Iterator[Outcome]:
    """The TensorRT backend fails on Spark and was removed in 1.3.0rc21."""
    if service.settings.text("backend") in REMOVED_BACKENDS:
        yield Finding(
            path=service.settings.place("backend"),
            message="The service must use the PyTorch backend, as the TensorRT one fails on Spark "
            "and is gone since 1.3.0rc21.",
            remedy='extraArgs: ["--backend", "pytorch"]',
        )


def no_autodeploy(service: ServiceView) -> Iterator[Outcome]:
    """AutoDeploy is where CUDA graphs with AUTO all-reduce first hung; it is deprecated."""
    if service.settings.text("backend") == "_autodeploy":
        yield Finding(
            path=service.settings.place("backend"),
            message="The service must not use the AutoDeploy backend, which hangs with CUDA graphs "
            "and is deprecated since 1.3.0rc21.",
            remedy='extraArgs: ["--backend", "pytorch"]',
        )


def fake_knobs(service: ServiceView) -> Iterator[Outcome]:
    """Some knobs that people pass on do not exist in TensorRT-LLM.

    TRTLLM_DISABLE_CUDAGRAPH stands in no public source but the notes that recommend it, and
    --allreduce_strategy RING and --quantization are no options of trtllm-serve: it either refuses
    to start or runs on unchanged.
    """
    for one in service.settings.arguments:
        if one.option in FAKE_OPTIONS:
            place = service.settings.argument_path(one)
            yield _fake(place, f"--{one.option}", FAKE_OPTIONS[one.option])
    for name, remedy in FAKE_VARIABLES.items():
        if name in service.variables:
            yield _fake(service.variables[name].path, name, remedy)


def _fake(path: str, name: str, remedy: str) -> Finding:
    return Finding(
        path=path,
        message=f"The service must not rely on {name}, which trtllm-serve does not have.",
        remedy=remedy,
    )


def yaml_keys(service: ServiceView) -> Iterator[Outcome]:
    """An option or YAML key that an image's version does not know stops its start.

    Both the command line and the YAML refuse unknown names; --served_model_name and
    --kv_cache_dtype came with 1.3.0rc7, the long names of parallelism in early 2026.
    """
    for one in service.settings.arguments:
        since = SINCE.get(one.option)
        if one.option in FAKE_OPTIONS or not one.option or "." in one.option:
            continue  # fake-knobs and trt-launch-args speak of these
        if one.option in KNOWN_OPTIONS:
            continue
        if since is None:
            yield _unknown(service, one)
        elif service.version is not None and service.version < since:
            yield Finding(
                path=service.settings.argument_path(one),
                message=f"The service must not pass --{one.option}, which came with a later "
                "version of TensorRT-LLM than its image has.",
                remedy="image: nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc13",
            )


def _unknown(service: ServiceView, one: Argument) -> Finding:
    near = get_close_matches(one.option, [*KNOWN_OPTIONS, *SINCE], 1)
    remedy = f'extraArgs: ["--{near[0]}"]' if near else "# take the option out of extraArgs"
    return Finding(
        path=service.settings.argument_path(one),
        message="The service must pass only options that trtllm-serve has, and "
        f"--{one.option} is none.",
        remedy=remedy,
    )


def cli_yaml_dup(service: ServiceView) -> Iterator[Outcome]:
    """A setting that stands on the command line and in the YAML changes its meaning by version.

    Up to about 1.3.0rc18 the YAML silently won, from rc19 on the command line does. sparkform
    writes the YAML from the declared keys, so that an option for the same setting, or a second
    YAML file, is such a pair.
    """
    for name, source in TRTLLM.items():
        for one in service.settings.arguments:
            if one.option in source.options and service.settings.is_declared(name):
                yield Finding(
                    path=service.settings.argument_path(one),
                    message=f"The service must not give {source.key} and --{one.option} both, as "
                    "TensorRT-LLM's versions disagree which one counts.",
                    remedy=f"{source.key}: {one.value}",
                )
    for one in service.settings.arguments:
        if one.option in ENGINE_FILES:
            yield Finding(
                path=service.settings.argument_path(one),
                message="The service must not bring an engine file of its own beside the one that "
                "is written from its keys.",
                remedy="maxBatchSize: 4  # and the other keys that the file holds",
            )


def launch_args(service: ServiceView) -> Iterator[Outcome]:
    """The launcher over several nodes splits its command at blanks and drops quotes.

    An argument with a blank, a quote or JSON in it reaches trtllm-serve in pieces.
    """
    if not service.spans_nodes:
        return
    for at, word in enumerate(service.block.extra_args):
        if any(character in word for character in " \t\"'{}"):
            yield Finding(
                path=service.path(f"extraArgs[{at}]"),
                message="The service must pass arguments without blanks, quotes and JSON on "
                "several nodes, as trtllm-llmapi-launch splits its command at blanks.",
                remedy='extraArgs: ["--option", "value"]',
            )


SERVICE_RULES = {
    "trt-backend-removed": backend_removed,
    "trt-no-autodeploy": no_autodeploy,
    "fake-knobs": fake_knobs,
    "trt-yaml-keys": yaml_keys,
    "trt-cli-yaml-dup": cli_yaml_dup,
    "trt-launch-args": launch_args,
}
