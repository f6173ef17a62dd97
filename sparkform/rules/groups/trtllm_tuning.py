"""Kernels, cache and parallelism of TensorRT-LLM on GB10."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome

UNSUPPORTED_MOE_BACKENDS = ("trtllm", "cutedsl", "deepgemm", "densegemm")
LARGE_FRACTION, LARGE_FRACTION_ON_SEVERAL = 0.9, 0.8


def check_moe_backend(service: ServiceView) -> Iterator[RuleOutcome]:
    """On sm_121 the experts' kernels are CUTLASS, TRITON and MARLIN only.

    The TRTLLM ones are generated for SM100 and SM103, and refuse SM120 and above.
    """
    backend = service.settings.get_text("moe_backend")
    if backend in UNSUPPORTED_MOE_BACKENDS or backend.startswith("megamoe"):
        yield RuleFinding(
            path=service.settings.get_path("moe_backend"),
            message=f"The expert kernels {backend.upper()} have no code for GB10.",
            remedy="moeBackend: CUTLASS",
        )


def check_gpt_oss_attention(service: ServiceView) -> Iterator[RuleOutcome]:
    """gpt-oss with FLASHINFER attention fails on SM120: attention sinks are not supported."""
    backend = service.settings.get_text("attention_backend")
    if backend == "flashinfer" and "gpt-oss" in service.model:
        yield RuleFinding(
            path=service.settings.get_path("attention_backend"),
            message="gpt-oss with FLASHINFER attention fails on SM120.",
            remedy="attentionBackend: TRTLLM",
        )


def check_host_cache(service: ServiceView) -> Iterator[RuleOutcome]:
    """Offloading the cache to host memory gains nothing where both are the same memory."""
    size = service.settings.find("host_cache_size")
    if size is not None and (size.number or 0) > 0:
        yield RuleFinding(
            path=size.path,
            message=(
                "Offloading the cache to host memory gains nothing: on a Spark it is the "
                "GPU's own memory."
            ),
            remedy="# take the option out of extraArgs",
        )


def check_max_num_tokens(service: ServiceView) -> Iterator[RuleOutcome]:
    """maxNumTokens is the budget of one scheduler step, not the context length.

    Without maxSeqLen the model's own context is planned for; a budget beyond all requests at their
    longest is wasted memory.
    """
    limit = service.settings.get_integer("max_seq_len")
    if limit is None:
        yield RuleFinding(
            path=service.get_path("maxSeqLen"),
            message="maxSeqLen is not set, and maxNumTokens does not limit the context.",
            remedy="maxSeqLen: 32768",
        )
        return
    budget = service.settings.get_integer("max_num_tokens")
    requests = service.settings.get_integer("max_batch_size")
    if budget is not None and requests is not None and budget > limit * requests:
        yield RuleFinding(
            path=service.settings.get_path("max_num_tokens"),
            message=(
                f"maxNumTokens {budget} is more than {requests} requests of {limit} tokens can use."
            ),
            remedy=f"maxNumTokens: {limit * requests}",
        )


def check_gpt_oss_encodings(service: ServiceView) -> Iterator[RuleOutcome]:
    """gpt-oss reads the vocabulary o200k_base, which it else fetches at its first request.

    The launch makes that file in each container out of the model's own tokenizer.json. With
    TIKTOKEN_ENCODINGS_BASE declared it makes none, and the folder must be part of the image.
    """
    setting = service.variables.get("TIKTOKEN_ENCODINGS_BASE")
    if "gpt-oss" in service.model and setting is not None:
        yield RuleFinding(
            path=setting.path,
            message="Nothing brings the vocabulary into this folder: the image has to hold it.",
            remedy="# take TIKTOKEN_ENCODINGS_BASE out of environment: the launch makes the file",
        )


def check_memory_fraction(service: ServiceView) -> Iterator[RuleOutcome]:
    """The cache's share of what is free after the weights: reports use 0.4 to 0.8 on two nodes.

    Above 0.9, or above 0.8 on several nodes or for models with state layers, nothing is left for
    the work space that grows while serving.
    """
    share = service.settings.get_number("memory_fraction")
    is_hybrid = service.shape is not None and any(
        block.mixer and block.mixer.kind == "state" for block in service.shape.blocks
    )
    is_tight = service.spans_nodes or is_hybrid
    limit = LARGE_FRACTION_ON_SEVERAL if is_tight else LARGE_FRACTION
    if share is not None and share > limit:
        yield RuleFinding(
            path=service.settings.get_path("memory_fraction"),
            message=(
                f"The cache takes {share:.0%} of the free memory: too little is left for "
                "memory that grows while serving."
            ),
            remedy="freeGpuMemoryFraction: 0.8",
        )


def check_pipeline_between_nodes(service: ServiceView) -> Iterator[RuleOutcome]:
    """Pipeline parallelism of TensorRT-LLM over nodes with one GPU each is unproven.

    The one report is of a service that stays stuck after its graphs are made.
    """
    if service.spans_nodes and service.count_ranks("pipeline_parallel") > 1:
        yield RuleFinding(
            path=service.settings.get_path("pipeline_parallel"),
            message="Pipeline parallelism of TensorRT-LLM over Sparks is unproven.",
            remedy="tensorParallel: 2  # on two nodes",
        )


def check_three_nodes(service: ServiceView) -> Iterator[RuleOutcome]:
    """No recipe for TensorRT-LLM on three Sparks was found anywhere.

    TP=3 divides the heads of no known model; PP=3 fits on paper only.
    """
    if len(service.nodes) != 3:
        return
    is_split = service.count_ranks("tensor_parallel") == 3
    yield RuleFinding(
        path=service.settings.get_path("tensor_parallel" if is_split else "pipeline_parallel"),
        message=(
            "TensorRT-LLM with TP=3 does not start: the heads of no known model divide by three."
            if is_split
            else "TensorRT-LLM on three nodes is unproven: no recipe was found."
        ),
        remedy="engine: vllm  # with tensorParallel: 1 and pipelineParallel: 3",
        severity=MANDATORY if is_split else ADVISORY,
    )


SERVICE_RULES = {
    "trt-moe-backend": check_moe_backend,
    "trt-attn-flashinfer-gptoss": check_gpt_oss_attention,
    "trt-host-cache": check_host_cache,
    "trt-max-num-tokens": check_max_num_tokens,
    "trt-gptoss-harmony": check_gpt_oss_encodings,
    "trt-fraction": check_memory_fraction,
    "trt-pp-internode": check_pipeline_between_nodes,
    "trt-three-nodes": check_three_nodes,
}
