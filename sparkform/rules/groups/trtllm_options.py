"""What trtllm-serve's command line knows, and what people pass to it in vain."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from sparkform.rules.arguments import Argument
from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome
from sparkform.rules.setting_sources import TRTLLM_SOURCES
from sparkform.versions import Version

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
FIRST_VERSIONS: dict[str, Version] = {
    "served_model_name": Version("1.3.0rc7"),
    "kv_cache_dtype": Version("1.3.0rc7"),
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
        Version("1.3.0rc1"),
    ),
}
ENGINE_FILE_OPTIONS = ("extra_llm_api_options", "config")
UNKNOWN_OPTION_REMEDIES = {
    "allreduce_strategy": "allReduce: NCCL",
    "quantization": "model: the handle of a checkpoint that is quantised already",
    "model": "model: owner/name",
    "enforce_eager": "cudaGraph: false",
    "gpu_memory_utilization": "freeGpuMemoryFraction: 0.8",
}
UNKNOWN_VARIABLE_REMEDIES = {
    "TRTLLM_DISABLE_CUDAGRAPH": "cudaGraph: false",
    "TRTLLM_ALLREDUCE_STRATEGY": "allReduce: NCCL",
}
REMOVED_BACKENDS = ("tensorrt", "trt")


def check_removed_backend(service: ServiceView) -> Iterator[RuleOutcome]:
    """The TensorRT backend fails on Spark and was removed in 1.3.0rc21."""
    if service.settings.get_text("backend") in REMOVED_BACKENDS:
        yield RuleFinding(
            path=service.settings.get_path("backend"),
            message="The TensorRT backend fails on Spark and was removed in 1.3.0rc21.",
            remedy='extraArgs: ["--backend", "pytorch"]',
        )


def check_autodeploy(service: ServiceView) -> Iterator[RuleOutcome]:
    """AutoDeploy is where CUDA graphs with AUTO all-reduce first hung; it is deprecated."""
    if service.settings.get_text("backend") == "_autodeploy":
        yield RuleFinding(
            path=service.settings.get_path("backend"),
            message=(
                "The AutoDeploy backend hangs with CUDA graphs and is deprecated since 1.3.0rc21."
            ),
            remedy='extraArgs: ["--backend", "pytorch"]',
        )


def check_fake_knobs(service: ServiceView) -> Iterator[RuleOutcome]:
    """Some knobs that people pass on do not exist in TensorRT-LLM.

    TRTLLM_DISABLE_CUDAGRAPH stands only in the notes that recommend it; --allreduce_strategy RING
    and --quantization are no options of trtllm-serve, which refuses to start or runs on unchanged.
    """
    for argument in service.settings.arguments:
        if argument.option in UNKNOWN_OPTION_REMEDIES:
            path = service.settings.get_argument_path(argument)
            yield _build_fake_finding(
                path, f"--{argument.option}", UNKNOWN_OPTION_REMEDIES[argument.option]
            )
    for name, remedy in UNKNOWN_VARIABLE_REMEDIES.items():
        if name in service.variables:
            yield _build_fake_finding(service.variables[name].path, name, remedy)


def _build_fake_finding(path: str, name: str, remedy: str) -> RuleFinding:
    return RuleFinding(
        path=path,
        message=f"trtllm-serve has no {name}.",
        remedy=remedy,
    )


def check_known_options(service: ServiceView) -> Iterator[RuleOutcome]:
    """An option or YAML key that an image's version does not know stops its start.

    Both the command line and the YAML refuse unknown names; --served_model_name and
    --kv_cache_dtype came with 1.3.0rc7, the long names of parallelism in early 2026.
    """
    for argument in service.settings.arguments:
        first_version = FIRST_VERSIONS.get(argument.option)
        if (
            argument.option in UNKNOWN_OPTION_REMEDIES
            or not argument.option
            or "." in argument.option
        ):
            continue  # fake-knobs and trt-launch-args speak of these
        if argument.option in KNOWN_OPTIONS:
            continue
        if first_version is None:
            yield _build_unknown_finding(service, argument)
        elif service.version is not None and service.version < first_version:
            yield RuleFinding(
                path=service.settings.get_argument_path(argument),
                message=(
                    f"--{argument.option} came with a later version of TensorRT-LLM than the "
                    "image has: the start fails."
                ),
                remedy="image: nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc13",
            )


def _build_unknown_finding(service: ServiceView, argument: Argument) -> RuleFinding:
    near_names = get_close_matches(argument.option, [*KNOWN_OPTIONS, *FIRST_VERSIONS], 1)
    remedy = (
        f'extraArgs: ["--{near_names[0]}"]' if near_names else "# take the option out of extraArgs"
    )
    return RuleFinding(
        path=service.settings.get_argument_path(argument),
        message=f"trtllm-serve has no option --{argument.option}: the start fails.",
        remedy=remedy,
    )


def check_duplicate_settings(service: ServiceView) -> Iterator[RuleOutcome]:
    """A setting that stands on the command line and in the YAML changes its meaning by version.

    Up to about 1.3.0rc18 the YAML silently won, from rc19 on the command line does. sparkform
    writes the YAML from the declared keys; an option for the same setting, or a second YAML file,
    makes such a pair.
    """
    for name, source in TRTLLM_SOURCES.items():
        for argument in service.settings.arguments:
            if argument.option in source.options and service.settings.is_declared(name):
                yield RuleFinding(
                    path=service.settings.get_argument_path(argument),
                    message=(
                        f"{source.key} and --{argument.option} set the same value, and "
                        "TensorRT-LLM's versions disagree which one counts."
                    ),
                    remedy=f"{source.key}: {argument.value}",
                )
    for argument in service.settings.arguments:
        if argument.option in ENGINE_FILE_OPTIONS:
            yield RuleFinding(
                path=service.settings.get_argument_path(argument),
                message=(
                    "A second engine file conflicts with the one that is written from the "
                    "service's keys."
                ),
                remedy="maxBatchSize: 4  # and the other keys that the file holds",
            )


def check_launcher_arguments(service: ServiceView) -> Iterator[RuleOutcome]:
    """The launcher over several nodes splits its command at blanks and drops quotes.

    An argument with a blank, a quote or JSON in it reaches trtllm-serve in pieces.
    """
    if not service.spans_nodes:
        return
    for position, argument in enumerate(service.block.extra_args):
        if any(character in argument for character in " \t\"'{}"):
            yield RuleFinding(
                path=service.get_path(f"extraArgs[{position}]"),
                message=(
                    "trtllm-llmapi-launch splits its command at blanks and drops quotes: this "
                    "argument arrives in pieces."
                ),
                remedy='extraArgs: ["--option", "value"]',
            )


SERVICE_RULES = {
    "trt-backend-removed": check_removed_backend,
    "trt-no-autodeploy": check_autodeploy,
    "fake-knobs": check_fake_knobs,
    "trt-yaml-keys": check_known_options,
    "trt-cli-yaml-dup": check_duplicate_settings,
    "trt-launch-args": check_launcher_arguments,
}
