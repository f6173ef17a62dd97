"""Which engine, quantisation and parallelism to serve a model with: candidates, refusals, choice.

The order (docs/design/sizing-and-speed.md): what fits; then what is fastest for the asked number
of requests; among what is within a tenth of the fastest, fewer nodes, then vLLM (it is
the one that runs everywhere), then speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sparkform.models.quantisation import Quantisation
from sparkform.models.shape import ModelShape
from sparkform.sizing.fit import Fit, fit_cut
from sparkform.sizing.memory_budget import Demand, NodeMemory
from sparkform.sizing.split import Cut, allows_tensor_parallel, list_cuts
from sparkform.sizing.throughput import Speed, Traffic
from sparkform.sizing.throughput_load import ServedModel

AS_FAST = 0.9
# At 64 requests two replicas of gpt-oss-120b were measured at 1.2 times TP=2, and tied or won with
# other models (docs/prediction.md): from there on replicas may be predicted this much slower.
MANY_REQUESTS = 64
REPLICAS_AS_FAST = 0.75
ENGINE_ORDER = ("vllm", "trtllm")
# A TensorRT-LLM service over more Sparks than this has no recipe that was found.
MOST_TRTLLM_NODES = 2


@dataclass(frozen=True, kw_only=True)
class CheckpointOffer:
    """A checkpoint in an engine that runs it."""

    handle: str
    quantisation: Quantisation
    engine: str


@dataclass(frozen=True, kw_only=True)
class ServingRequest:
    """What the user wants of how many nodes."""

    nodes: int
    context: int
    concurrency: int
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to serve, with what it was computed to do."""

    offer: CheckpointOffer
    cut: Cut
    replicas: int
    cache: str
    fit: Fit
    speed: Speed

    @property
    def nodes(self) -> int:
        """Nodes of all replicas."""
        return self.cut.nodes * self.replicas

    @property
    def label(self) -> str:
        """A short name for lists."""
        return format_way(self.offer, self.cut, self.replicas)


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A way that was not taken, and why."""

    way: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The choice (None where nothing fits) and all that was rejected."""

    chosen: Candidate | None
    rejected: tuple[Rejected, ...]


def format_way(offer: CheckpointOffer, cut: Cut, replicas: int) -> str:
    """How a candidate is called: engine, quantisation and parallelism."""
    parallel = f"TP={cut.tensor_parallel} PP={cut.pipeline_parallel} DP={replicas}"
    return f"{offer.engine} {offer.quantisation.name} {parallel} ({offer.handle})"


def choose_recommendation(
    shape: ModelShape,
    offers: Sequence[CheckpointOffer],
    request: ServingRequest,
    get_memory: Callable[[str], NodeMemory],
    predict_speed: Callable[[ServedModel, Traffic], Speed],
) -> Recommendation:
    """Weigh every way to serve `shape` on up to `wish.nodes` nodes."""
    candidates: list[Candidate] = []
    rejected = [*_list_impossible_ranks(shape, request.nodes)]
    for offer in offers:
        for cut, replicas in _list_ways(shape, request.nodes):
            weighed = _weigh(shape, offer, cut, replicas, request, get_memory, predict_speed)
            if isinstance(weighed, Candidate):
                candidates.append(weighed)
            elif not _is_same_reason(weighed, rejected[-1:]):
                rejected.append(weighed)
    chosen = _choose_best(candidates, request.concurrency)
    rejected += [
        _explain_rejection(candidate, chosen)
        for candidate in candidates
        if chosen and candidate is not chosen
    ]
    return Recommendation(chosen=chosen, rejected=tuple(rejected))


def _is_same_reason(rejected: Rejected, previous: Sequence[Rejected]) -> bool:
    """Whether more replicas of a cut were refused for what one was refused for."""
    return any(earlier.reason == rejected.reason for earlier in previous)


def _list_impossible_ranks(shape: ModelShape, nodes: int) -> Iterator[Rejected]:
    for ranks in range(2, nodes + 1):
        if not allows_tensor_parallel(shape, ranks):
            yield Rejected(
                way=f"TP={ranks}", reason="the attention heads do not divide by so many ranks"
            )


def _list_ways(shape: ModelShape, nodes: int) -> Iterator[tuple[Cut, int]]:
    """Every cut that the nodes hold, once and as often as they hold it."""
    for used in range(1, nodes + 1):
        for cut in list_cuts(shape, used):
            for replicas in sorted({1, nodes // used}):
                yield cut, replicas


def _weigh(
    shape: ModelShape,
    offer: CheckpointOffer,
    cut: Cut,
    replicas: int,
    request: ServingRequest,
    get_memory: Callable[[str], NodeMemory],
    predict_speed: Callable[[ServedModel, Traffic], Speed],
) -> Candidate | Rejected:
    name = format_way(offer, cut, replicas)
    reason = _find_unproven_reason(offer.engine, cut, replicas)
    if reason:
        return Rejected(way=name, reason=reason)
    cache, fit = _choose_cache(shape, offer, cut, replicas, request, get_memory(offer.engine))
    if not fit.fits:
        return Rejected(way=name, reason=fit.reason)
    traffic = Traffic(
        concurrency=request.concurrency,
        prompt_tokens=request.prompt_tokens,
        output_tokens=request.output_tokens,
        replicas=replicas,
    )
    model = ServedModel(shape=shape, quantisation=offer.quantisation, cut=cut, engine=offer.engine)
    return Candidate(
        offer=offer,
        cut=cut,
        replicas=replicas,
        cache=cache,
        fit=fit,
        speed=predict_speed(model, traffic),
    )


def _find_unproven_reason(engine: str, cut: Cut, replicas: int) -> str | None:
    if engine != "trtllm":
        return None
    if cut.nodes > MOST_TRTLLM_NODES:
        return "no recipe for TensorRT-LLM over three or more Sparks is known"
    if cut.pipeline_parallel > 1:
        return "TensorRT-LLM pipelines across Sparks hang in reports (#8961)"
    if replicas > 1:
        return "TensorRT-LLM has no data parallelism across Sparks: declare one service a node"
    return None


def _choose_cache(
    shape: ModelShape,
    offer: CheckpointOffer,
    cut: Cut,
    replicas: int,
    request: ServingRequest,
    memory: NodeMemory,
) -> tuple[str, Fit]:
    """The 16-bit cache where it fits, else the FP8 one."""
    batch = -(-request.concurrency // replicas)
    answers = [
        (
            cache,
            fit_cut(
                Demand(
                    shape=shape,
                    quantisation=offer.quantisation,
                    cache=cache,
                    batch=batch,
                    context=request.context,
                ),
                memory,
                cut,
            ),
        )
        for cache in ("auto", "fp8")
    ]
    return next((answer for answer in answers if answer[1].fits), answers[0])


def _choose_best(candidates: Sequence[Candidate], concurrency: int) -> Candidate | None:
    if not candidates:
        return None
    fastest = max(candidate.speed.decode_tok_s for candidate in candidates)
    replicated = [
        item
        for item in candidates
        if concurrency >= MANY_REQUESTS
        and item.replicas > 1
        and item.speed.decode_tok_s >= REPLICAS_AS_FAST * fastest
    ]
    as_fast = [item for item in candidates if item.speed.decode_tok_s >= AS_FAST * fastest]
    return min(
        replicated or as_fast,
        key=lambda item: (
            item.nodes,
            ENGINE_ORDER.index(item.offer.engine),
            -item.speed.decode_tok_s,
        ),
    )


def _explain_rejection(candidate: Candidate, chosen: Candidate) -> Rejected:
    candidate_tok_s, chosen_tok_s = candidate.speed.decode_tok_s, chosen.speed.decode_tok_s
    if candidate_tok_s < chosen_tok_s:
        reason = f"slower: {candidate_tok_s:.1f} instead of {chosen_tok_s:.1f} tok/s"
    elif chosen.replicas > candidate.replicas:
        reason = (
            f"{candidate_tok_s:.1f} tok/s predicted, but replicas were measured to win "
            f"at many requests"
        )
    elif candidate.nodes > chosen.nodes:
        reason = f"{candidate_tok_s:.1f} tok/s, a gain below a tenth for {candidate.nodes} nodes"
    else:
        reason = (
            f"{candidate_tok_s:.1f} tok/s, a gain below a tenth; vLLM runs on every Spark set-up"
        )
    return Rejected(way=candidate.label, reason=reason)
