"""What a model is made of: parameters and cache entries. Knows no file format, engine or node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Role = Literal[
    "embedding",
    "head",
    "attention",
    "state",
    "dense",
    "shared",
    "experts",
    "router",
    "norm",
    "vision",
]
MixerKind = Literal["attention", "latent", "state"]


@dataclass(frozen=True, kw_only=True)
class Mixer:
    """The part of a block that mixes tokens: attention, latent attention or a state space.

    `kv_elements` counts cache elements (keys and values together) of one cached entry. A block
    keeps the last `window_tokens` entries and, beside them, one entry for each `stride_tokens`
    tokens (0: none). `state_bytes` is held once a sequence whatever its length.
    `kv_parameters` is the part of `parameters` that tensor parallelism beyond the KV heads copies.
    `rope_elements` of an entry stay at 16 bits whatever the cache's type; `index_elements` lie
    beside each strided entry, for the search that chooses what a step reads.
    """

    kind: MixerKind
    parameters: int
    heads: int
    kv_heads: int
    kv_parameters: int = 0
    kv_elements: int = 0
    window_tokens: int = 0
    stride_tokens: int = 1
    read_limit_tokens: int | None = None
    state_bytes: int = 0
    rope_elements: int = 0
    index_elements: int = 0

    def count_cached_entries(self, context_tokens: int) -> int:
        """How many cache entries a sequence of `context_tokens` holds in this block."""
        strided = context_tokens // self.stride_tokens if self.stride_tokens else 0
        return strided + min(context_tokens, self.window_tokens)

    def count_read_entries(self, context_tokens: int) -> int:
        """How many cache entries one decode step reads (sparse attention reads a part)."""
        entries = self.count_cached_entries(context_tokens)
        return entries if self.read_limit_tokens is None else min(entries, self.read_limit_tokens)


@dataclass(frozen=True, kw_only=True)
class FeedForward:
    """The part of a block that works on each token alone. `expert` is one routed expert."""

    dense: int = 0
    shared: int = 0
    router: int = 0
    expert: int = 0
    experts: int = 0
    experts_per_token: int = 0


@dataclass(frozen=True, kw_only=True)
class Block:
    """One layer. Hybrid models have layers with only one of the two parts."""

    mixer: Mixer | None
    feed_forward: FeedForward | None
    norm: int = 0

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Counting equal blocks asks for it some hundred times a model."""
        return hash((self.mixer, self.feed_forward, self.norm))

    def count_parameters_by_role(self) -> Counter[Role]:
        """Parameters of this block, all experts counted."""
        counts: Counter[Role] = Counter({"norm": self.norm})
        if self.mixer:
            counts["state" if self.mixer.kind == "state" else "attention"] += self.mixer.parameters
        if self.feed_forward:
            feed_forward = self.feed_forward
            counts.update(
                dense=feed_forward.dense, shared=feed_forward.shared, router=feed_forward.router
            )
            counts["experts"] += feed_forward.expert * feed_forward.experts
        return counts


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """A whole model. `head` is 0 where it shares the embedding's weights.

    `notes` names what was estimated because the source did not say it.
    """

    name: str
    hidden_size: int
    embedding: int
    head: int
    vision: int
    blocks: tuple[Block, ...]
    max_position: int | None
    notes: tuple[str, ...] = ()

    @property
    def head_parameters_read(self) -> int:
        """Parameters read for the output projection, shared with the embedding or not."""
        return self.head or self.embedding


def count_parameters_by_role(blocks: Iterable[Block]) -> Counter[Role]:
    """Parameters of some blocks together."""
    total: Counter[Role] = Counter()
    for block in blocks:
        total.update(block.count_parameters_by_role())
    return total


def count_parameters(shape: ModelShape) -> int:
    """All parameters that a checkpoint of this shape holds."""
    block_parameters = count_parameters_by_role(shape.blocks).total()
    return block_parameters + shape.embedding + shape.head + shape.vision


def count_active_parameters(shape: ModelShape) -> int:
    """Parameters that one token's decode step uses. The embedding is a look-up: not counted."""
    counts = count_parameters_by_role(shape.blocks)
    routed = sum(
        block.feed_forward.expert * block.feed_forward.experts_per_token
        for block in shape.blocks
        if block.feed_forward
    )
    return counts.total() - counts["experts"] + routed + shape.head_parameters_read


def is_mixture(shape: ModelShape) -> bool:
    """Whether some block routes tokens to experts."""
    return any(block.feed_forward and block.feed_forward.experts for block in shape.blocks)


def count_kv_elements_per_token(shape: ModelShape) -> int:
    """Cache elements that one new token writes, over all blocks."""
    return sum(
        block.mixer.kv_elements + block.mixer.index_elements
        for block in shape.blocks
        if block.mixer
    )


def count_kv_elements_beyond_windows(shape: ModelShape) -> float:
    """Cache elements by which a long sequence grows a token, once all windows are full."""
    return sum(
        (block.mixer.kv_elements + block.mixer.index_elements) / block.mixer.stride_tokens
        for block in shape.blocks
        if block.mixer and block.mixer.stride_tokens
    )
