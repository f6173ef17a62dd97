"""What a decode step or a prompt moves and computes on a node: bytes and operations, no times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sparkform.models.quantisation import Quantisation
from sparkform.models.shape import (
    Block,
    Mixer,
    ModelShape,
    Role,
    count_active_parameters,
    count_parameters_by_role,
    is_mixture,
)
from sparkform.sizing.cache_profile import compute_entry_bytes, compute_index_bytes
from sparkform.sizing.split import BITS_A_BYTE, Cut, compute_stage_lengths

Width = Literal["16bit", "8bit", "4bit"]
ACTIVATION_BYTES = 2
OPERATIONS_A_WEIGHT = 2  # a multiplication and an addition


@dataclass(frozen=True, kw_only=True)
class DraftPlan:
    """Speculative decoding: tokens proposed a step, the chance that one is accepted after those
    before it, and what the draft layers read for each."""

    tokens: int
    acceptance: float
    bytes_a_token: float

    def count_tokens_a_step(self) -> float:
        """The model's own token and the drafts before the first that is refused."""
        return sum(self.acceptance**position for position in range(self.tokens + 1))


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A shape as it is stored, cut over nodes, with the bytes of one cache element.

    `kernel` is the name of the experts' kernels where it is given; `eager`: without CUDA graphs.
    """

    shape: ModelShape
    quantisation: Quantisation
    cut: Cut
    engine: str = "vllm"
    cache_element_bytes: float = 2.0
    kernel: str = ""
    eager: bool = False
    drafts: DraftPlan | None = None

    @cached_property
    def distinct_blocks(self) -> Counter[Block]:
        """The different blocks and how often each stands in the model."""
        return Counter(self.shape.blocks)

    @cached_property
    def active_parameters(self) -> int:
        """Parameters that one token uses."""
        return count_active_parameters(self.shape)

    @cached_property
    def dense_bytes(self) -> dict[Width, float]:
        """What each step reads of the weights that every token uses, on one tensor rank."""
        return _compute_dense_bytes(self)


@dataclass(frozen=True, kw_only=True)
class StepLoad:
    """One decode step of `batch` sequences through all stages, as one tensor rank sees it."""

    dense_bytes: dict[Width, float]
    expert_bytes: float
    cache_bytes: float
    operations: float
    layers: int
    collectives: int
    collective_bytes: float


def classify_width(bits: float) -> Width:
    """The kernel class of a weight's width. Mixed layers count as the nearer class."""
    if bits > 12:
        return "16bit"
    return "8bit" if bits > 6 else "4bit"


def get_compute_width(model: ServedModel) -> Width:
    """The width in which the engine computes.

    vLLM's kernels for narrow weights on GB10 compute in 16 bits (its FP8 ones reach the same rate);
    TensorRT-LLM's compute in the weights' own width.
    """
    if model.engine != "trtllm":
        return "16bit"
    role: Role = "experts" if is_mixture(model.shape) else "dense"
    return classify_width(model.quantisation.get_bits(role))


def estimate_touched_experts(experts: int, per_token: int, tokens: float) -> float:
    """How many of `experts` at least one of `tokens` independent tokens is routed to."""
    if not experts:
        return 0.0
    untouched: float = (1.0 - per_token / experts) ** tokens
    return experts * (1.0 - untouched)


def compute_step_load(
    model: ServedModel,
    batch: float,
    context_tokens: int,
    routed_tokens: float,
    tokens: float | None = None,
) -> StepLoad:
    """The load of a step of `batch` sequences with `tokens` in all (one each unless drafted).

    `routed_tokens` is how many independent tokens the routing sees.
    """
    tokens = batch if tokens is None else tokens
    shape, ranks, blocks = model.shape, model.cut.tensor_parallel, model.distinct_blocks
    collectives = sum(
        count * ((block.mixer is not None) + (block.feed_forward is not None))
        for block, count in blocks.items()
    )
    return StepLoad(
        dense_bytes=model.dense_bytes,
        expert_bytes=_compute_expert_bytes(model, routed_tokens) / ranks,
        cache_bytes=batch
        * sum(
            count
            * _compute_mixer_bytes(block.mixer, ranks, context_tokens, model.cache_element_bytes)
            for block, count in blocks.items()
            if block.mixer
        ),
        operations=OPERATIONS_A_WEIGHT * model.active_parameters * tokens / ranks,
        layers=len(shape.blocks),
        collectives=collectives,
        collective_bytes=tokens * shape.hidden_size * ACTIVATION_BYTES,
    )


def _compute_dense_bytes(model: ServedModel) -> dict[Width, float]:
    shape = model.shape
    counts: Counter[Role] = count_parameters_by_role(shape.blocks)
    counts["head"] = shape.head_parameters_read
    counts["experts"] = 0
    totals: dict[Width, float] = {"16bit": 0.0, "8bit": 0.0, "4bit": 0.0}
    for role, parameters in counts.items():
        bits = model.quantisation.get_bits(role)
        ranks = 1 if role in ("norm", "router") else model.cut.tensor_parallel
        totals[classify_width(bits)] += parameters * bits / BITS_A_BYTE / ranks
    return totals


def _compute_expert_bytes(model: ServedModel, routed_tokens: float) -> float:
    bits = model.quantisation.get_bits("experts")
    return sum(
        count
        * block.feed_forward.expert
        * estimate_touched_experts(
            block.feed_forward.experts, block.feed_forward.experts_per_token, routed_tokens
        )
        * bits
        / BITS_A_BYTE
        for block, count in model.distinct_blocks.items()
        if block.feed_forward
    )


def _compute_mixer_bytes(
    mixer: Mixer, ranks: int, context_tokens: int, element_bytes: float
) -> float:
    """Cache read for one sequence; a state is read and written."""
    if mixer.kind == "state":
        return 2.0 * mixer.state_bytes / min(ranks, mixer.heads)
    entries = mixer.count_read_entries(context_tokens)
    keys = context_tokens // mixer.stride_tokens if mixer.stride_tokens else 0
    return (
        entries * compute_entry_bytes(mixer, element_bytes)
        + keys * compute_index_bytes(mixer, element_bytes)
    ) / min(ranks, mixer.kv_heads)


def get_slowest_stage_share(model: ServedModel) -> float:
    """The part of a pass that the slowest pipeline stage takes: 1 / stages where layers divide."""
    lengths = compute_stage_lengths(len(model.shape.blocks), model.cut.pipeline_parallel)
    return max(lengths) / len(model.shape.blocks)


def compute_bandwidth_bound(model: ServedModel, batch: int, bandwidth_gb_s: float) -> float:
    """No engine decodes faster without speculation: a step reads the weights of at least one token.

    The experts of one token only are counted and the cache is not: the bound errs high.
    """
    load = compute_step_load(model, batch=1, context_tokens=0, routed_tokens=1.0)
    return batch * bandwidth_gb_s * 1e9 / (sum(load.dense_bytes.values()) + load.expert_bytes)


def exceeds_bandwidth(model: ServedModel, batch: int, tok_s: float, bandwidth_gb_s: float) -> bool:
    """Whether a stated speed cannot be: rows and claims above the bound are rejected by this."""
    return tok_s > compute_bandwidth_bound(model, batch, bandwidth_gb_s)
