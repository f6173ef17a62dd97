"""Whether weights, cache and engine fit on the nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sparkform.config import EffectiveNode
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.outcome import Finding, Outcome, Skip
from sparkform.sizing.fit import CACHE_BYTES, DEFAULT_CONTEXT, GIB, Demand, Fit, Memory, fit_cut
from sparkform.sizing.split import Cut, cache_profile

VLLM_DEFAULT, TRTLLM_DEFAULT = 0.92, 0.9
MOST_OF_ALL = 0.95
"""What all services of a node may claim together; the system needs some GiB (unverified)."""

SMALLEST_HONEST = 0.8
CACHE_NAMES = {"fp8_e4m3": "fp8", "fp8_e5m2": "fp8", "bfloat16": "bf16", "float16": "fp16"}


def cache_type(service: ServiceView) -> str:
    """The cache's type as the sizing knows it; an unknown one counts as 16 bits."""
    given = service.settings.text("kv_cache_dtype") or "auto"
    given = CACHE_NAMES.get(given, given.removesuffix("_ds_mla"))
    return given if given in CACHE_BYTES else "auto"


def _memory(service: ServiceView, node: EffectiveNode) -> Memory:
    """What the engine may take of a node. TensorRT-LLM's own share is of the rest: see `fit_on`."""
    engine, runtime = service.block.engine, service.block.runtime
    usual = service.context.catalogue.memory(engine, runtime, service.usable_gib(node))
    if engine == "trtllm":
        return usual
    share = service.settings.number("memory_fraction") or VLLM_DEFAULT
    return replace(usual, fraction=min(share, 1.0))


def fit_on(service: ServiceView, node: EffectiveNode) -> Fit | None:
    """The fit of one node's share, for one request of the longest context; None: not known."""
    subject = service.subject
    tensor, pipeline = service.ranks_of("tensor_parallel"), service.ranks_of("pipeline_parallel")
    if subject is None or pipeline > len(subject.shape.blocks):
        return None
    demand = Demand(
        shape=subject.shape,
        quantisation=subject.quantisation,
        cache=cache_type(service),
        context=service.settings.whole("max_seq_len") or _default_context(service),
    )
    memory = _memory(service, node)
    cut = Cut(tensor_parallel=tensor, pipeline_parallel=pipeline)
    answer = fit_cut(demand, memory, cut)
    if service.block.engine == "vllm" or answer.free_gib <= 0:
        return answer
    # TensorRT-LLM gives the cache a share of what the weights leave, the rest stays free.
    share = service.settings.number("memory_fraction") or TRTLLM_DEFAULT
    room = answer.free_gib * min(share, 1.0)
    kept = memory.runtime_gib + answer.free_gib - room
    held = fit_cut(demand, replace(memory, runtime_gib=kept), cut)
    return held if held.fits else replace(held, reason=_lacking(demand, cut, room, share))


def _lacking(demand: Demand, cut: Cut, room_gib: float, share: float) -> str:
    profile = cache_profile(demand.shape, cut)
    needed = profile.bytes_for(demand.wanted_context, CACHE_BYTES[demand.cache]) / GIB
    return (
        f"{demand.wanted_context} tokens of cache need {needed:.1f} GiB, and {share:g} of what the "
        f"weights leave is {room_gib:.1f} GiB"
    )


def _default_context(service: ServiceView) -> int | None:
    """Without maxSeqLen vLLM needs room for the model's longest context; TensorRT-LLM does not."""
    if service.block.engine == "trtllm" or service.shape is None:
        return DEFAULT_CONTEXT
    return service.shape.max_position or DEFAULT_CONTEXT


def memory_fit(service: ServiceView) -> Iterator[Outcome]:
    """Weights, one request's cache and the engine must fit into each node's share of memory.

    On unified memory nothing fails cleanly: a node that runs out accepts connections, never
    answers, and needs a power cycle. The limit is the node's memory times the declared fraction,
    less the engine's own; both engines share their cache out between requests, so that one request
    of the longest context is what must fit.
    """
    reasons = set()
    for node in service.nodes:
        answer = fit_on(service, node)
        if answer is None:
            reason = "neither catalogue nor modelFacts.parameters tell its size"
            yield Skip(path=service.path("model"), reason=reason)
            return
        if not answer.fits and answer.reason not in reasons:
            reasons.add(answer.reason)
            yield Finding(
                path=service.settings.place("max_seq_len"),
                message="The service must fit into the memory of its nodes, and on "
                f"{node.name} {answer.reason}.",
                remedy=f"maxSeqLen: {answer.max_context}"
                if answer.max_context
                else "model: the handle of a smaller or more quantised checkpoint, or more nodes",
            )


def container_overhead(service: ServiceView) -> Iterator[Outcome]:
    """One report saw engines in containers leave 20 to 31 GiB less for the cache than natively.

    It was one machine with TensorRT-LLM; its explanation (memory counted twice) is unverified, and
    the speed was the same. Within that distance of the limit a native engine is the safer choice.
    """
    if service.block.runtime == "native":
        return
    answer = fit_on(service, service.nodes[0])
    if answer is None:
        yield Skip(path=service.path("model"), reason="the model's size is not known")
        return
    risk = _memory(service, service.nodes[0]).container_risk_gib
    if answer.fits and answer.free_gib < risk:
        yield Finding(
            path=service.path("runtime"),
            message=f"The service must have more than {answer.free_gib:.1f} GiB a node for its "
            f"cache or run natively, as containers were seen to leave {risk:g} GiB less.",
            remedy="runtime: native",
        )


def weights_declared(service: ServiceView) -> Iterator[Outcome]:
    """Declared sizes that are too small were the commonest error of the notes this began with.

    A figure of modelFacts is compared with the catalogue's: 65 GB for a 70B model in BF16 is half.
    """
    facts = service.block.model_facts
    subject = service.subject
    if subject is None or subject.entry is None or not (facts.parameters or facts.weight_bits):
        return
    from sparkform.models.shape import total_parameters

    real = float(total_parameters(subject.shape))
    real_bits = _weight_bits(service)
    declared = (facts.parameters or real) * (facts.weight_bits or real_bits) / 8
    if declared < SMALLEST_HONEST * real * real_bits / 8:
        key = "parameters" if facts.parameters else "weightBits"
        yield Finding(
            path=service.path(f"modelFacts.{key}"),
            message=f"The service must not count on {declared / 1e9:.0f} GB of weights, as the "
            f"catalogue's figures for this model come to {real * real_bits / 8e9:.0f} GB.",
            remedy="# take modelFacts out",
        )


def _weight_bits(service: ServiceView) -> float:
    """Mean bits a weight of the checkpoint."""
    from sparkform.models.shape import total_parameters
    from sparkform.sizing.split import weights_bytes

    subject = service.subject
    assert subject is not None
    whole = Cut(tensor_parallel=1, pipeline_parallel=1)
    stored = weights_bytes(subject.shape, subject.quantisation, whole)
    return stored * 8 / total_parameters(subject.shape)


def shared_memory(context: Context) -> Iterator[Outcome]:
    """Services on one node share its memory, and each engine plans as if it were alone.

    vLLM takes its share of all memory; TensorRT-LLM takes its weights and a share of what is left,
    so that only its weights and its own are counted here.
    """
    for node in context.spec.active_nodes:
        there = [view for view in context.services if node in view.nodes]
        claims = [(view, claim) for view in there if (claim := _claim(view, node)) is not None]
        usable = context.services[0].usable_gib(node) if there else None
        total = usable or (_memory(there[0], node).usable_gib if there else 0.0)
        if len(claims) > 1 and sum(claim for _, claim in claims) > MOST_OF_ALL * total:
            told = ", ".join(f"{view.name} {claim:.1f}" for view, claim in claims)
            yield Finding(
                path=there[-1].settings.place("memory_fraction"),
                message=f"The service must share {node.name} with others, whose claims ({told} "
                f"GiB) are more than {MOST_OF_ALL:.0%} of its {total:.1f} GiB.",
                remedy="nodes: [another node]  # or smaller shares",
            )


def _claim(service: ServiceView, node: EffectiveNode) -> float | None:
    """GiB that a service takes of a node whatever it serves, None if that is not known."""
    memory = _memory(service, node)
    if service.block.engine == "vllm":
        return memory.usable_gib * memory.fraction
    answer = fit_on(service, node)
    return None if answer is None else answer.weights_gib_per_node + memory.runtime_gib


STACK_RULES = {"shared-memory": shared_memory}
SERVICE_RULES = {
    "mem-fit": memory_fit,
    "container-overhead": container_overhead,
    "weights-declared": weights_declared,
}
