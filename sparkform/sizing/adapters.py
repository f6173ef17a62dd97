"""What vLLM sets aside for LoRA adapters: for each, two thin matrices beside every matrix. Pure.

The room is made at the start, for all matrices and the largest rank, whatever an adapter holds
(vllm/lora/layers/*.py, create_lora_weights). It is counted whole: a cut leaves the first of the two
on each rank.
"""

from __future__ import annotations

from sparkform.models.shape import FeedForward, Mixer, ModelShape

WEIGHT_BYTES = 2
GATED_MATRICES = 3


def compute_adapter_bytes(shape: ModelShape, adapters: int, rank: int) -> float:
    """A shape that is known by its size alone has no width."""
    hidden = max(shape.hidden_size, 1)
    edges = sum(
        _count_mixer_edges(block.mixer, hidden) + _count_inner_edges(block.feed_forward, hidden)
        for block in shape.blocks
    )
    return float(adapters * rank * edges * WEIGHT_BYTES)


def _count_mixer_edges(mixer: Mixer | None, hidden: int) -> float:
    """Rows and columns of query, key, value and output together."""
    if mixer is None:
        return 0.0
    query = (mixer.parameters - mixer.kv_parameters) / (2 * hidden)
    return 4 * hidden + 2 * query + mixer.kv_parameters / hidden


def _count_inner_edges(feed_forward: FeedForward | None, hidden: int) -> float:
    if feed_forward is None:
        return 0.0
    parts = (feed_forward.dense, feed_forward.shared)
    edges = sum(_count_matrix_edges(part, hidden) for part in parts if part)
    return edges + feed_forward.experts * _count_matrix_edges(feed_forward.expert, hidden)


def _count_matrix_edges(parameters: int, hidden: int) -> float:
    """Of gate, up and down."""
    return GATED_MATRICES * (hidden + parameters / (GATED_MATRICES * hidden))
