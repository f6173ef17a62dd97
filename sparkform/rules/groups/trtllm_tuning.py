"""Kernels, cache and parallelism of TensorRT-LLM on GB10."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, Finding, Outcome

WRONG_EXPERTS = ("trtllm", "cutedsl", "deepgemm", "densegemm")
LARGE_FRACTION, LARGE_FRACTION_ON_SEVERAL = 0.9, 0.8


def moe_backend(service: ServiceView) -> Iterator[Outcome]:
    """On sm_121 the experts' kernels are CUTLASS, TRITON and MARLIN only.

    The TRTLLM ones are generated for SM100 and SM103, and refuse SM120 and above.
    """
    chosen = service.settings.text("moe_backend")
    if chosen in WRONG_EXPERTS or chosen.startswith("megamoe"):
        yield Finding(
            path=service.settings.place("moe_backend"),
            message=f"The service must not use the expert kernels {chosen.upper()}, which have no "
            "code for GB10.",
            remedy="moeBackend: CUTLASS",
        )


def flashinfer_gpt_oss(service: ServiceView) -> Iterator[Outcome]:
    """gpt-oss with FLASHINFER attention fails on SM120: attention sinks are not supported."""
    chosen = service.settings.text("attention_backend")
    if chosen == "flashinfer" and "gpt-oss" in service.model:
        yield Finding(
            path=service.settings.place("attention_backend"),
            message="The service must run gpt-oss with TRTLLM attention, as FLASHINFER fails with "
            "it on SM120.",
            remedy="attentionBackend: TRTLLM",
        )


def host_cache(service: ServiceView) -> Iterator[Outcome]:
    """Offloading the cache to host memory gains nothing where both are the same memory."""
    size = service.settings.get("host_cache_size")
    if size is not None and (size.number or 0) > 0:
        yield Finding(
            path=size.path,
            message="The service must not offload its cache to host memory, which on a Spark is "
            "the GPU's own memory.",
            remedy="# take the option out of extraArgs",
        )


def max_num_tokens(service: ServiceView) -> Iterator[Outcome]:
    """maxNumTokens is the budget of one scheduler step, not the context length.

    Without maxSeqLen the model's own longest context is planned for; a budget beyond all requests
    at their longest is memory that nothing uses.
    """
    limit = service.settings.whole("max_seq_len")
    if limit is None:
        yield Finding(
            path=service.path("maxSeqLen"),
            message="The service must say its longest context by maxSeqLen, which maxNumTokens is "
            "not.",
            remedy="maxSeqLen: 32768",
        )
        return
    budget = service.settings.whole("max_num_tokens")
    requests = service.settings.whole("max_batch_size")
    if budget is not None and requests is not None and budget > limit * requests:
        yield Finding(
            path=service.settings.place("max_num_tokens"),
            message=f"The service must not plan steps of {budget} tokens, as {requests} requests "
            f"of {limit} tokens never need them.",
            remedy=f"maxNumTokens: {limit * requests}",
        )


def gpt_oss_harmony(service: ServiceView) -> Iterator[Outcome]:
    """gpt-oss loads two token encodings from the network at its first request.

    Without TIKTOKEN_ENCODINGS_BASE and the files o200k_base and cl100k_base below it, a node
    without internet answers with errors. DISABLE_HARMONY_ADAPTER=1 does without them.
    """
    given = service.variables
    if "gpt-oss" not in service.model or "TIKTOKEN_ENCODINGS_BASE" in given:
        return
    if "DISABLE_HARMONY_ADAPTER" in given and given["DISABLE_HARMONY_ADAPTER"].is_on:
        return
    yield Finding(
        path=service.path("environment.TIKTOKEN_ENCODINGS_BASE"),
        message="The service must find the token encodings of gpt-oss on the node, or its first "
        "request needs the internet.",
        remedy="environment: {TIKTOKEN_ENCODINGS_BASE: /tiktoken_encodings}",
    )


def fraction(service: ServiceView) -> Iterator[Outcome]:
    """The cache's share of what is free after the weights: reports use 0.4 to 0.8 on two nodes.

    Above 0.9, or above 0.8 on several nodes or for models with state layers, nothing is left for
    the work space that grows while serving.
    """
    share = service.settings.number("memory_fraction")
    is_hybrid = service.shape is not None and any(
        block.mixer and block.mixer.kind == "state" for block in service.shape.blocks
    )
    is_tight = service.spans_nodes or is_hybrid
    limit = LARGE_FRACTION_ON_SEVERAL if is_tight else LARGE_FRACTION
    if share is not None and share > limit:
        yield Finding(
            path=service.settings.place("memory_fraction"),
            message=f"The service must leave more than {1 - share:.0%} of the free memory to what "
            "grows while it serves.",
            remedy="freeGpuMemoryFraction: 0.8",
        )


def pipeline_internode(service: ServiceView) -> Iterator[Outcome]:
    """Pipeline parallelism of TensorRT-LLM over nodes with one GPU each is unproven.

    The one report is of a service that stays stuck after its graphs are made.
    """
    if service.spans_nodes and service.ranks_of("pipeline_parallel") > 1:
        yield Finding(
            path=service.settings.place("pipeline_parallel"),
            message="The service must be tried with care with pipeline parallelism, which nobody "
            "has reported to work with TensorRT-LLM over Sparks.",
            remedy="tensorParallel: 2  # on two nodes",
        )


def three_nodes(service: ServiceView) -> Iterator[Outcome]:
    """No recipe for TensorRT-LLM on three Sparks was found anywhere.

    TP=3 divides the heads of no known model; PP=3 fits on paper only.
    """
    if len(service.nodes) != 3:
        return
    is_split = service.ranks_of("tensor_parallel") == 3
    yield Finding(
        path=service.settings.place("tensor_parallel" if is_split else "pipeline_parallel"),
        message="The service must not run TensorRT-LLM "
        + (
            "with TP=3, which divides the heads of no known model."
            if is_split
            else "on three nodes without a trial, as no recipe for it was found."
        ),
        remedy="engine: vllm  # with tensorParallel: 1 and pipelineParallel: 3",
        severity=MANDATORY if is_split else ADVISORY,
    )


SERVICE_RULES = {
    "trt-moe-backend": moe_backend,
    "trt-attn-flashinfer-gptoss": flashinfer_gpt_oss,
    "trt-host-cache": host_cache,
    "trt-max-num-tokens": max_num_tokens,
    "trt-gptoss-harmony": gpt_oss_harmony,
    "trt-fraction": fraction,
    "trt-pp-internode": pipeline_internode,
    "trt-three-nodes": three_nodes,
}
