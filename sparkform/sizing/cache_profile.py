"""What the KV cache of a sequence takes on a node, as the model defines it and as vLLM pages it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from sparkform.models.shape import Mixer, ModelShape
from sparkform.sizing.split import Cut, split_stages

SIXTEEN_BITS = 2.0
# One scale for about 40 elements in vLLM's fp8_ds_mla: 584 bytes for 448 narrow and 64 wide
# elements (DeepSeek-V4), 656 for 512 and 64 (DeepSeek-V3.2).
SPARSE_SCALE = 1 / 40
# An index key in 8 bits has one 32-bit scale for its 128 elements; no type stores it narrower.
INDEX_BYTES = 1 + 4 / 128

# vLLM keeps a compressed cache in pages of one size: 256 tokens, 64 of a window, and 4 or 8 of what
# is compressed next, in 32 bits. A request must find pages for all tokens of one step
# (https://github.com/vllm-project/vllm/issues/54703).
PAGE_TOKENS = 256
WINDOW_PAGE_TOKENS = 64
WINDOW_GROUPS = 2
OVERLAPPING_PAGE_TOKENS, PLAIN_PAGE_TOKENS = 4, 8
OVERLAPPING_STATE_BYTES, PLAIN_STATE_BYTES = 16, 8


def compute_entry_bytes(mixer: Mixer, element_bytes: float) -> float:
    """Bytes of one cached entry, without its index key."""
    if element_bytes >= SIXTEEN_BITS or not mixer.rope_elements:
        return mixer.kv_elements * element_bytes
    narrow = mixer.kv_elements - mixer.rope_elements
    return narrow * element_bytes * (1 + SPARSE_SCALE) + mixer.rope_elements * SIXTEEN_BITS


def compute_index_bytes(mixer: Mixer, element_bytes: float) -> float:
    """Bytes of the index key that lies beside a strided entry."""
    return mixer.index_elements * (
        element_bytes if element_bytes >= SIXTEEN_BITS else max(element_bytes, INDEX_BYTES)
    )


def compute_token_bytes(shape: ModelShape, element_bytes: float) -> float:
    """What one new token writes, over all blocks."""
    mixers = [block.mixer for block in shape.blocks if block.mixer and block.mixer.kv_elements]
    return sum(_compute_pair_bytes(mixer, element_bytes) for mixer in mixers)


def compute_token_bytes_beyond_windows(shape: ModelShape, element_bytes: float) -> float:
    """By how much a long sequence grows a token, once all windows are full."""
    mixers = [block.mixer for block in shape.blocks if block.mixer and block.mixer.stride_tokens]
    return sum(_compute_pair_bytes(mixer, element_bytes) / mixer.stride_tokens for mixer in mixers)


def _compute_pair_bytes(mixer: Mixer, element_bytes: float) -> float:
    return compute_entry_bytes(mixer, element_bytes) + compute_index_bytes(mixer, element_bytes)


def is_compressed(mixer: Mixer) -> bool:
    """Whether entries stand for several tokens (DeepSeek-V4), or are a window beside them."""
    return mixer.kind == "latent" and (mixer.stride_tokens != 1 or mixer.window_tokens > 0)


@dataclass(frozen=True)
class CacheProfile:
    """The distinct mixers of each stage and how often they stand there, for one cut."""

    stages: tuple[tuple[tuple[Mixer, int], ...], ...]
    ranks: int

    @cached_property
    def is_paged_by_step(self) -> bool:
        """Whether a request reserves pages for a whole step of tokens."""
        return any(is_compressed(mixer) for stage in self.stages for mixer, _ in stage)

    def compute_bytes(self, context_tokens: int, element_bytes: float) -> float:
        """Bytes of cache that one sequence of `context_tokens` holds on the fullest node."""
        return max(
            sum(
                count * _compute_mixer_cache_bytes(mixer, self.ranks, context_tokens, element_bytes)
                for mixer, count in stage
            )
            for stage in self.stages
        )

    def compute_paged_bytes(
        self, context_tokens: int, element_bytes: float, step_tokens: int
    ) -> float:
        """As vLLM reserves them. Only compressed caches differ from `compute_bytes`."""
        if not self.is_paged_by_step:
            return self.compute_bytes(context_tokens, element_bytes)
        return max(
            _count_pages(stage, context_tokens, min(step_tokens, context_tokens))
            * compute_page_bytes(stage, element_bytes)
            + sum(
                count * _compute_mixer_cache_bytes(mixer, self.ranks, context_tokens, element_bytes)
                for mixer, count in stage
                if not is_compressed(mixer)
            )
            for stage in self.stages
        )


def build_cache_profile(shape: ModelShape, cut: Cut) -> CacheProfile:
    """What the caches of a cut are made of."""
    return CacheProfile(
        stages=tuple(
            tuple(Counter(block.mixer for block in blocks if block.mixer).items())
            for blocks in split_stages(shape, cut.pipeline_parallel)
        ),
        ranks=cut.tensor_parallel,
    )


def _compute_mixer_cache_bytes(
    mixer: Mixer, ranks: int, context_tokens: int, element_bytes: float
) -> float:
    if mixer.kind == "state":
        return mixer.state_bytes / min(ranks, mixer.heads)
    entries = mixer.count_cached_entries(context_tokens)
    keys = context_tokens // mixer.stride_tokens if mixer.stride_tokens else 0
    return (
        entries * compute_entry_bytes(mixer, element_bytes)
        + keys * compute_index_bytes(mixer, element_bytes)
    ) / min(ranks, mixer.kv_heads)


def compute_page_bytes(stage: tuple[tuple[Mixer, int], ...], element_bytes: float) -> float:
    """The page size that all compressed caches of a stage share: the largest of their own."""
    entries = states = plain = 0.0
    for mixer, count in stage:
        if not (is_compressed(mixer) and mixer.stride_tokens):
            continue
        entries += (
            count * _compute_pair_bytes(mixer, element_bytes) * PAGE_TOKENS / mixer.stride_tokens
        )
        if mixer.index_elements:
            elements = mixer.kv_elements + mixer.index_elements
            states += count * elements * OVERLAPPING_STATE_BYTES * OVERLAPPING_PAGE_TOKENS
        else:
            plain += count * mixer.kv_elements * PLAIN_STATE_BYTES * PLAIN_PAGE_TOKENS
    return max(entries, states, plain)


def _count_pages(stage: tuple[tuple[Mixer, int], ...], context_tokens: int, step: int) -> int:
    """Pages of one request: its context, and a step's tokens in each group of small pages."""
    compressed = [mixer for mixer, _ in stage if is_compressed(mixer)]
    pages = _divide_up(context_tokens, PAGE_TOKENS)
    window = max((mixer.window_tokens for mixer in compressed), default=0)
    pages += WINDOW_GROUPS * (_divide_up(window + step, WINDOW_PAGE_TOKENS) + 1)
    if any(mixer.index_elements for mixer in compressed):
        pages += _divide_up(step, OVERLAPPING_PAGE_TOKENS) + 1
    if any(mixer.stride_tokens and not mixer.index_elements for mixer in compressed):
        pages += _divide_up(window + step, PLAIN_PAGE_TOKENS) + 1
    return pages


def _divide_up(amount: int, by: int) -> int:
    return -(-amount // by)
