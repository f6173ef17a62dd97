"""Whether weights, cache and engine fit on the nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sparkform.config import EffectiveNode
from sparkform.rules.context import ServiceView
from sparkform.rules.engine_settings import (
    build_node_settings,
    leaves_weights_on_disk,
)
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome, RuleSkip
from sparkform.sizing.cache_profile import build_cache_profile
from sparkform.sizing.engine_memory import GIB, LARGEST_USUAL_STEP
from sparkform.sizing.fit import Fit, fit_cut
from sparkform.sizing.memory_budget import CACHE_BYTES, DEFAULT_CONTEXT, Demand, NodeMemory
from sparkform.sizing.split import Cut

VLLM_DEFAULT, TRTLLM_DEFAULT = 0.92, 0.9
MIN_DECLARED_SHARE = 0.8
ENGINE_SPREAD_GIB = 1.1
"""Reports of engines over several nodes lie that far from the middle (hardware.json: link_gib)."""

CHECKPOINT_SPREAD = 0.06
"""Two NVFP4 checkpoints of GLM-5.2 have 410 and 433 GB: quantisers leave different layers out."""

CACHE_NAMES = {"fp8_e4m3": "fp8", "fp8_e5m2": "fp8", "bfloat16": "bf16", "float16": "fp16"}


def get_cache_type(service: ServiceView) -> str:
    """The cache's type as the sizing knows it; an unknown one counts as 16 bits."""
    type_name = service.settings.get_text("kv_cache_dtype") or "auto"
    type_name = CACHE_NAMES.get(type_name, type_name.removesuffix("_ds_mla"))
    return type_name if type_name in CACHE_BYTES else "auto"


def get_memory(service: ServiceView, node: EffectiveNode) -> NodeMemory:
    """What the engine may take of a node. TensorRT-LLM's own share is of the rest: see `fit_on`."""
    engine, runtime = service.block.engine, service.block.runtime
    memory = service.context.catalogue.get_memory(engine, runtime, service.get_usable_gib(node))
    if engine == "trtllm":
        return memory
    share = service.settings.get_number("memory_fraction") or VLLM_DEFAULT
    return replace(memory, fraction=min(share, 1.0))


def fit_on(service: ServiceView, node: EffectiveNode, taken_gib: float = 0.0) -> Fit | None:
    """The fit of one node's share, for one request of the longest context; None: not known.

    `taken_gib` is what services hold that are started before it on the node. It lessens what is
    free after TensorRT-LLM's weights; vLLM's share is of all memory, whoever else is there.
    """
    subject = service.subject
    tensor, pipeline = (
        service.count_ranks("tensor_parallel"),
        service.count_ranks("pipeline_parallel"),
    )
    if subject is None or pipeline > len(subject.shape.blocks):
        return None
    demand = Demand(
        shape=subject.shape,
        quantisation=subject.quantisation,
        cache=get_cache_type(service),
        context=service.settings.get_integer("max_seq_len") or _get_default_context(service),
        settings=build_node_settings(service, node),
    )
    memory = get_memory(service, node)
    cut = Cut(tensor_parallel=tensor, pipeline_parallel=pipeline)
    if service.block.engine == "vllm":
        return fit_cut(demand, memory, cut)
    memory = replace(memory, usable_gib=memory.usable_gib - taken_gib / memory.fraction)
    fit = fit_cut(demand, memory, cut)
    if fit.free_gib <= 0:
        return fit
    # TensorRT-LLM gives the cache a share of what the weights leave, the rest stays free.
    share = get_cache_share(service)
    cache_gib = fit.free_gib * share
    runtime_gib = memory.runtime_gib + fit.free_gib - cache_gib
    capped_fit = fit_cut(demand, replace(memory, runtime_gib=runtime_gib), cut)
    return (
        capped_fit
        if capped_fit.fits
        else replace(capped_fit, reason=_explain_missing_cache(demand, cut, cache_gib, share))
    )


def get_cache_share(service: ServiceView) -> float:
    """TensorRT-LLM's share for the cache of what is free after its weights."""
    return min(service.settings.get_number("memory_fraction") or TRTLLM_DEFAULT, 1.0)


def _explain_missing_cache(demand: Demand, cut: Cut, cache_gib: float, share: float) -> str:
    profile = build_cache_profile(demand.shape, cut)
    needed_gib = profile.compute_bytes(demand.wanted_context, CACHE_BYTES[demand.cache]) / GIB
    return (
        f"{demand.wanted_context} tokens of cache need {needed_gib:.1f} GiB, and {share:g} of what "
        f"the weights leave is {cache_gib:.1f} GiB"
    )


def _get_default_context(service: ServiceView) -> int | None:
    """Without maxSeqLen vLLM needs room for the model's longest context; TensorRT-LLM does not."""
    if service.block.engine == "trtllm" or service.shape is None:
        return DEFAULT_CONTEXT
    return service.shape.max_position or DEFAULT_CONTEXT


def check_memory_fit(service: ServiceView) -> Iterator[RuleOutcome]:
    """Weights, one request's cache and the engine must fit into each node's share of memory.

    On unified memory nothing fails cleanly: a node that runs out accepts connections, never
    answers, and needs a power cycle. The limit is the node's memory times the declared fraction, or
    with a cache of fixed size 0.95 of it. The engine's own is summed by parts: draft layers,
    recorded graphs, activations of a step, loader, communication. Requests share the cache, so one
    of the longest context must fit, in the pages that vLLM keeps for it. A lack that is smaller
    than reports of the same thing differ by is a warning: 1.1 GiB over several nodes, and 6 % of
    the weights where the checkpoint is not in the catalogue.
    """
    reasons = set()
    for node in service.nodes:
        fit = fit_on(service, node)
        if fit is None:
            reason = "neither catalogue nor modelFacts.parameters tell its size"
            yield RuleSkip(path=service.get_path("model"), reason=reason)
            return
        if not fit.fits and _is_disk_unknown(service):
            reason = "how much of the weights stays on the disk is not known: modelFacts.diskGib"
            yield RuleSkip(path=service.get_path("modelFacts"), reason=reason)
            return
        if not fit.fits and fit.reason not in reasons:
            reasons.add(fit.reason)
            yield RuleFinding(
                path=service.settings.get_path("max_seq_len"),
                message=f"{node.name} lacks memory: {fit.reason}.",
                remedy=f"maxSeqLen: {fit.max_context}"
                if fit.max_context
                else "model: the handle of a smaller or more quantised checkpoint, or more nodes",
                severity=ADVISORY if _is_within_spread(service, fit) else MANDATORY,
            )


def _is_within_spread(service: ServiceView, fit: Fit) -> bool:
    """Whether what lacks is less than what reports of the same thing differ by."""
    is_assumed = service.subject is not None and service.subject.assumptions
    spread_gib = ENGINE_SPREAD_GIB * service.spans_nodes
    spread_gib += CHECKPOINT_SPREAD * fit.weights_gib_per_node * bool(is_assumed)
    return fit.cache_gib - fit.free_gib <= spread_gib


def _is_disk_unknown(service: ServiceView) -> bool:
    return leaves_weights_on_disk(service) and not (service.subject and service.subject.disk_gib)


def check_step_tokens(service: ServiceView) -> Iterator[RuleOutcome]:
    """vLLM's activations grow with the tokens of one step, on the memory that the system shares.

    8,224 tokens a step took 5.3 GiB and 2,048 took 1.4, at the same speed of prompts
    (DeepSeek-V4-Flash). 65,536 are said to hang a Spark (unverified).
    """
    if service.block.engine != "vllm":
        return
    tokens = service.settings.get_integer("max_num_tokens")
    if tokens is not None and tokens > LARGEST_USUAL_STEP:
        yield RuleFinding(
            path=service.settings.get_path("max_num_tokens"),
            message=f"A step of {tokens:,} tokens takes memory for all of them at once.",
            remedy="# extraArgs: --max-num-batched-tokens 8192, or less",
        )


def check_container_overhead(service: ServiceView) -> Iterator[RuleOutcome]:
    """One report saw engines in containers leave 20 to 31 GiB less for the cache than natively.

    One machine with TensorRT-LLM, at the same speed; its explanation (memory counted twice) is
    unverified. That near the limit a native engine is safer.
    """
    if service.block.runtime == "native":
        return
    fit = fit_on(service, service.nodes[0])
    if fit is None:
        yield RuleSkip(path=service.get_path("model"), reason="the model's size is not known")
        return
    risk = get_memory(service, service.nodes[0]).container_risk_gib
    if fit.fits and fit.free_gib < risk:
        yield RuleFinding(
            path=service.get_path("runtime"),
            message=(
                f"{fit.free_gib:.1f} GiB a node is left for the cache, and containers were "
                f"seen to leave {risk:g} GiB less than native engines."
            ),
            remedy="runtime: native",
        )


def check_declared_weights(service: ServiceView) -> Iterator[RuleOutcome]:
    """Declared sizes that are too small were the commonest error of the notes this began with.

    A figure of modelFacts is compared with the catalogue's: 65 GB for a 70B model in BF16 is half.
    """
    facts = service.block.model_facts
    subject = service.subject
    if subject is None or subject.entry is None or not (facts.parameters or facts.weight_bits):
        return
    from sparkform.models.shape import count_parameters

    catalogue_parameters = float(count_parameters(subject.shape))
    catalogue_bits = _compute_weight_bits(service)
    declared = (
        (facts.parameters or catalogue_parameters) * (facts.weight_bits or catalogue_bits) / 8
    )
    if declared < MIN_DECLARED_SHARE * catalogue_parameters * catalogue_bits / 8:
        key = "parameters" if facts.parameters else "weightBits"
        yield RuleFinding(
            path=service.get_path(f"modelFacts.{key}"),
            message=(
                f"modelFacts come to {declared / 1e9:.0f} GB of weights; the catalogue's "
                "figures for this model come to "
                f"{catalogue_parameters * catalogue_bits / 8e9:.0f} GB."
            ),
            remedy="# take modelFacts out",
        )


def _compute_weight_bits(service: ServiceView) -> float:
    """Mean bits a weight of the checkpoint."""
    from sparkform.models.shape import count_parameters
    from sparkform.sizing.split import compute_weights_bytes

    subject = service.subject
    assert subject is not None
    cut = Cut(tensor_parallel=1, pipeline_parallel=1)
    stored_bytes = compute_weights_bytes(subject.shape, subject.quantisation, cut)
    return stored_bytes * 8 / count_parameters(subject.shape)


SERVICE_RULES = {
    "mem-fit": check_memory_fit,
    "step-tokens": check_step_tokens,
    "container-overhead": check_container_overhead,
    "weights-declared": check_declared_weights,
}
