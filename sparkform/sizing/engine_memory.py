"""What an engine takes of a node beside weights and cache, part by part. Pure.

Each constant names the figures that it was set by; docs/sizes.md says how well they predict others.
"""

from __future__ import annotations

from dataclasses import dataclass

from sparkform.models.quantisation import Quantisation
from sparkform.models.shape import FeedForward, Mixer, ModelShape, Role, is_mixture
from sparkform.sizing.adapters import compute_adapter_bytes
from sparkform.sizing.cache_profile import is_compressed
from sparkform.sizing.split import BITS_A_BYTE, Cut

GIB, MIB = 2**30, 2**20
ACTIVATION_BYTES = 2
# vLLM's own on a GB10 (compile range 1 to 2048, graphs up to 256 requests in its logs).
DEFAULT_STEP_TOKENS = 2048
DEFAULT_SEQUENCES = 256
# What the recipes for compressed caches on Sparks set (eugr/spark-vllm-docker#277).
COMPRESSED_STEP_TOKENS = 8192
LARGEST_USUAL_STEP = 16384
# Buffers of a hidden state that live at once: 1.1 GiB for 8,192 tokens of Llama-3.1-8B (H100).
HIDDEN_BUFFERS = 4
# Buffers of all heads in sparse attention: 5.3 GiB for 8,224 tokens of DeepSeek-V4-Flash.
SPARSE_BUFFERS = 8
# The sampler's copies of a step's logits, in 32 bits.
LOGIT_BUFFERS, LOGIT_BYTES = 2, 4
USUAL_VOCABULARY = 150_000
# vLLM's estimate of one recorded graph on a GB10: 2.44 GiB for 86 on one node, 5.1 on two.
GRAPH_MIB, GRAPH_MIB_BETWEEN_NODES = 30, 60
LARGEST_GRAPH = 512
SMALL_GRAPHS, MIDDLE_GRAPH = (1, 2, 4), 256
# InstantTensor's buffers stay allocated (MiaAI-Lab/GLM-5.3-Flash-EXL3-2x-DGX-Sparks#204).
LOADER_GIB = {"instanttensor": 4.43}
DRAFTLESS_METHODS = ("ngram", "ngram_gpu", "suffix")
# Quantisers leave draft layers at 16 bits (4.8 GB of Intel's Qwen3.5-122B); what a release itself
# is trained in holds for them too.
FOREIGN_QUANTISATIONS = ("int4", "nvfp4", "int8")


@dataclass(frozen=True, kw_only=True)
class MemoryPart:
    """One line of a node's sum."""

    name: str
    gib: float


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """The settings that decide vLLM's own memory; None stands for its default.

    `counts_graphs`: since 0.21 recorded graphs are taken from the share. `page_cache_gib` lies in
    the page cache where the version takes that for used. `cache_gib` is a cache of fixed size,
    which makes the share a check at start only. `disk_gib` of the weights are read from the disk
    in use. `adapter_rank` is the largest.
    """

    step_tokens: int | None = None
    sequences: int | None = None
    eager: bool = False
    counts_graphs: bool = True
    page_cache_gib: float | None = None
    draft_method: str | None = None
    draft_tokens: int = 0
    draft_gib: float | None = None
    load_format: str = ""
    cache_gib: float | None = None
    disk_gib: float = 0.0
    adapters: int = 0
    adapter_rank: int = 0

    def get_step_tokens(self, shape: ModelShape) -> int:
        """Tokens of one step, as set, or as engine and recipes have it."""
        if self.step_tokens is not None:
            return self.step_tokens
        mixers = (block.mixer for block in shape.blocks if block.mixer)
        return COMPRESSED_STEP_TOKENS if any(map(is_compressed, mixers)) else DEFAULT_STEP_TOKENS


def list_engine_parts(
    shape: ModelShape, quantisation: Quantisation, cut: Cut, settings: EngineSettings
) -> list[MemoryPart]:
    """vLLM's own memory on one node, without what it always takes."""
    parts = [
        MemoryPart(
            name="draft layers",
            gib=compute_draft_gib(shape, quantisation, settings) / cut.tensor_parallel,
        ),
        MemoryPart(
            name="adapters",
            gib=compute_adapter_bytes(shape, settings.adapters, settings.adapter_rank) / GIB,
        ),
        MemoryPart(name="recorded graphs", gib=_compute_graphs_gib(cut, settings)),
        MemoryPart(name="activations", gib=_compute_activations_gib(shape, cut, settings)),
        MemoryPart(name="loader buffers", gib=LOADER_GIB.get(settings.load_format, 0.0)),
    ]
    return [part for part in parts if part.gib > 0]


def compute_draft_gib(
    shape: ModelShape, quantisation: Quantisation, settings: EngineSettings
) -> float:
    """Draft layers of the whole model: as stated, or one layer like the model's largest."""
    if not settings.draft_method or settings.draft_method in DRAFTLESS_METHODS:
        return 0.0
    if settings.draft_gib is not None:
        return settings.draft_gib
    counts = [block.count_parameters_by_role() for block in shape.blocks]
    mixer = max(count["attention"] for count in counts)
    experts = max(count["experts"] + count["shared"] for count in counts)
    dense = max(count["dense"] for count in counts)
    foreign = quantisation.name in FOREIGN_QUANTISATIONS
    role: Role = "experts" if is_mixture(shape) else "dense"
    bits = 16.0 if foreign else quantisation.get_bits(role)
    return (mixer + max(experts, dense)) * bits / BITS_A_BYTE / GIB


def count_graphs(settings: EngineSettings) -> int:
    """How many batch sizes vLLM records: piecewise for all steps, and whole for decoding ones.

    With drafts only piecewise: FlashInfer, its attention on a GB10, has no whole graphs for them.
    """
    requests = (settings.sequences or DEFAULT_SEQUENCES) * (1 + settings.draft_tokens)
    piecewise = _count_graph_sizes(min(2 * requests, LARGEST_GRAPH))
    if settings.draft_tokens:
        return piecewise
    return piecewise + _count_graph_sizes(min(requests, LARGEST_GRAPH))


def _count_graph_sizes(largest: int) -> int:
    """1, 2, 4, then every 8 up to 256, then every 16 (vLLM's cudagraph_capture_sizes)."""
    small = sum(size <= largest for size in SMALL_GRAPHS)
    middle = min(largest, MIDDLE_GRAPH) // 8
    return small + middle + max(largest - MIDDLE_GRAPH, 0) // 16


def _compute_graphs_gib(cut: Cut, settings: EngineSettings) -> float:
    if settings.eager or not settings.counts_graphs:
        return 0.0
    each = GRAPH_MIB_BETWEEN_NODES if cut.tensor_parallel > 1 else GRAPH_MIB
    return count_graphs(settings) * each * MIB / GIB


def _compute_activations_gib(shape: ModelShape, cut: Cut, settings: EngineSettings) -> float:
    sequences = settings.sequences or DEFAULT_SEQUENCES
    vocabulary = shape.embedding / shape.hidden_size if shape.embedding else USUAL_VOCABULARY
    logits = sequences * vocabulary * LOGIT_BYTES * LOGIT_BUFFERS
    tokens = settings.get_step_tokens(shape)
    return (tokens * count_activation_bytes(shape, cut.tensor_parallel) + logits) / GIB


def count_activation_bytes(shape: ModelShape, ranks: int) -> float:
    """Bytes that one token of a step needs at once, in the layer that needs most."""
    hidden = max(shape.hidden_size, 1)
    mixer = max((_count_mixer_elements(block.mixer) for block in shape.blocks), default=0.0)
    inner = max(_count_inner_elements(block.feed_forward, hidden) for block in shape.blocks)
    per_token = max(
        (block.feed_forward.experts_per_token for block in shape.blocks if block.feed_forward),
        default=0,
    )
    shared = hidden * (HIDDEN_BUFFERS + per_token)
    return ACTIVATION_BYTES * (shared + (mixer + inner) / ranks)


def _count_mixer_elements(mixer: Mixer | None) -> float:
    """Only attention that chooses its entries needs much: it gathers them for every token."""
    if mixer is None or not mixer.index_elements:
        return 0.0
    return float(SPARSE_BUFFERS * mixer.heads * mixer.kv_elements)


def _count_inner_elements(feed_forward: FeedForward | None, hidden: int) -> float:
    if feed_forward is None:
        return 0.0
    used = feed_forward.expert * feed_forward.experts_per_token
    return (feed_forward.dense + feed_forward.shared + used) / hidden
