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
    Role,
    Shape,
    active_parameters,
    is_mixture,
    parameters_by_role,
)
from sparkform.sizing.split import BITS_A_BYTE, Cut, stage_lengths

Width = Literal["16bit", "8bit", "4bit"]
ACTIVATION_BYTES = 2
OPERATIONS_A_WEIGHT = 2  # a multiplication and an addition


@dataclass(frozen=True, kw_only=True)
class Model:
    """A shape as it is stored, cut over nodes, with the bytes of one cache element."""

    shape: Shape
    quantisation: Quantisation
    cut: Cut
    engine: str = "vllm"
    cache_element_bytes: float = 2.0

    @cached_property
    def distinct_blocks(self) -> Counter[Block]:
        """The different blocks and how often each stands in the model."""
        return Counter(self.shape.blocks)

    @cached_property
    def active_parameters(self) -> int:
        """Parameters that one token uses."""
        return active_parameters(self.shape)

    @cached_property
    def dense_bytes(self) -> dict[Width, float]:
        """What each step reads of the weights that every token uses, on one tensor rank."""
        return _dense_bytes(self)


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


def width_of(bits: float) -> Width:
    """The kernel class of a weight's width. Mixed layers count as the nearer class."""
    if bits > 12:
        return "16bit"
    return "8bit" if bits > 6 else "4bit"


def compute_width(model: Model) -> Width:
    """The width in which the engine computes.

    vLLM's kernels for narrow weights on GB10 compute in 16 bits (its FP8 ones reach the same rate);
    TensorRT-LLM's compute in the weights' own width.
    """
    if model.engine != "trtllm":
        return "16bit"
    role: Role = "experts" if is_mixture(model.shape) else "dense"
    return width_of(model.quantisation.bits_of(role))


def experts_touched(experts: int, per_token: int, tokens: float) -> float:
    """How many of `experts` at least one of `tokens` independent tokens is routed to."""
    if not experts:
        return 0.0
    untouched: float = (1.0 - per_token / experts) ** tokens
    return experts * (1.0 - untouched)


def step_load(model: Model, batch: float, context_tokens: int, routed_tokens: float) -> StepLoad:
    """The load of a step. `routed_tokens` is how many independent tokens the routing sees."""
    shape, ranks, blocks = model.shape, model.cut.tensor_parallel, model.distinct_blocks
    collectives = sum(
        count * ((block.mixer is not None) + (block.feed_forward is not None))
        for block, count in blocks.items()
    )
    return StepLoad(
        dense_bytes=model.dense_bytes,
        expert_bytes=_expert_bytes(model, routed_tokens) / ranks,
        cache_bytes=batch
        * sum(
            count * _mixer_bytes(block.mixer, ranks, context_tokens, model.cache_element_bytes)
            for block, count in blocks.items()
            if block.mixer
        ),
        operations=OPERATIONS_A_WEIGHT * model.active_parameters * batch / ranks,
        layers=len(shape.blocks),
        collectives=collectives,
        collective_bytes=batch * shape.hidden_size * ACTIVATION_BYTES,
    )


def _dense_bytes(model: Model) -> dict[Width, float]:
    shape = model.shape
    counts: Counter[Role] = parameters_by_role(shape.blocks)
    counts["head"] = shape.head_read
    counts["experts"] = 0
    totals: dict[Width, float] = {"16bit": 0.0, "8bit": 0.0, "4bit": 0.0}
    for role, parameters in counts.items():
        bits = model.quantisation.bits_of(role)
        ranks = 1 if role in ("norm", "router") else model.cut.tensor_parallel
        totals[width_of(bits)] += parameters * bits / BITS_A_BYTE / ranks
    return totals


def _expert_bytes(model: Model, routed_tokens: float) -> float:
    bits = model.quantisation.bits_of("experts")
    return sum(
        count
        * block.feed_forward.expert
        * experts_touched(
            block.feed_forward.experts, block.feed_forward.experts_per_token, routed_tokens
        )
        * bits
        / BITS_A_BYTE
        for block, count in model.distinct_blocks.items()
        if block.feed_forward
    )


def _mixer_bytes(mixer: Mixer, ranks: int, context_tokens: int, element_bytes: float) -> float:
    """Cache read for one sequence; a state is read and written."""
    if mixer.kind == "state":
        return 2.0 * mixer.state_bytes / min(ranks, mixer.heads)
    entries = mixer.read_entries(context_tokens)
    return entries * mixer.kv_elements * element_bytes / min(ranks, mixer.kv_heads)


def slowest_stage_share(model: Model) -> float:
    """The part of a pass that the slowest pipeline stage takes: 1 / stages where layers divide."""
    lengths = stage_lengths(len(model.shape.blocks), model.cut.pipeline_parallel)
    return max(lengths) / len(model.shape.blocks)


def bandwidth_bound_tok_s(model: Model, batch: int, bandwidth_gb_s: float) -> float:
    """No engine decodes faster without speculation: a step reads the weights of at least one token.

    The experts of one token only are counted and the cache is not: the bound errs high.
    """
    load = step_load(model, batch=1, context_tokens=0, routed_tokens=1.0)
    return batch * bandwidth_gb_s * 1e9 / (sum(load.dense_bytes.values()) + load.expert_bytes)


def exceeds_bandwidth(model: Model, batch: int, tok_s: float, bandwidth_gb_s: float) -> bool:
    """Whether a stated speed cannot be: rows and claims above the bound are rejected by this."""
    return tok_s > bandwidth_bound_tok_s(model, batch, bandwidth_gb_s)
