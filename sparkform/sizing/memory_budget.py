"""What one node gives to a service, and what the parts of the service take of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from sparkform.errors import InputError, Problem
from sparkform.models.quantisation import Quantisation
from sparkform.models.shape import ModelShape
from sparkform.sizing.cache_profile import CacheProfile, build_cache_profile
from sparkform.sizing.engine_memory import GIB, EngineSettings, MemoryPart, list_engine_parts
from sparkform.sizing.split import Cut, compute_weights_bytes

# Where a source names no longest context: beyond what any served model states.
CONTEXT_CEILING = 16 * 2**20
DEFAULT_CONTEXT = 2048
# Bytes a cache element. "auto" is the weights' own 16-bit type in both engines; nvfp4 has an
# 8-bit scale for each 16 elements.
CACHE_BYTES = {"auto": 2.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "nvfp4": 0.5 + 1 / 16}


def get_cache_element_bytes(cache: str) -> float:
    """Bytes of one cache element. Raises InputError for a cache type that no engine has."""
    if cache not in CACHE_BYTES:
        known_types = ", ".join(CACHE_BYTES)
        problem = Problem(
            path="KV cache type", message="is not known", got=cache, allowed=known_types
        )
        raise InputError([problem])
    return CACHE_BYTES[cache]


# Of all memory, what an engine with a cache of fixed size can have: 4.8 of 121.6 GiB are never free
# on an idle Spark (NNNtrance/GLM-5.3-Flash-EXL3-TP3-3x-DGX-Spark@0e63f24:docs/17-memory-ledger.md).
MOST_OF_MEMORY = 0.95


@dataclass(frozen=True, kw_only=True)
class NodeMemory:
    """One node's memory for one service.

    `usable_gib` is what the operating system shows; `fraction` of it is the service's; the engine
    takes `runtime_gib` of that whatever it serves, and `link_gib` more where its ranks are on
    several nodes. `counts_parts`: whether its further parts are known. `container_risk_gib` is how
    much less a container may leave (0 for a native service): a warning names it, nothing
    subtracts it.
    """

    usable_gib: float
    fraction: float
    runtime_gib: float
    link_gib: float = 0.0
    counts_parts: bool = False
    container_risk_gib: float = 0.0

    @property
    def share_gib(self) -> float:
        """The service's share."""
        return self.usable_gib * self.fraction


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What is to be served."""

    shape: ModelShape
    quantisation: Quantisation
    cache: str = "auto"
    batch: int = 1
    context: int | None = None
    settings: EngineSettings = field(default_factory=EngineSettings)

    @property
    def wanted_context(self) -> int:
        """The context that decides `fits`: the requested one, or 2,048 tokens."""
        return self.context or min(DEFAULT_CONTEXT, self.longest_context)

    @property
    def longest_context(self) -> int:
        """The model's own limit, as far as it is known."""
        return self.shape.max_position or CONTEXT_CEILING


def list_parts(demand: Demand, memory: NodeMemory, cut: Cut) -> list[MemoryPart]:
    """What the fullest node holds before the cache, largest kinds first as an engine loads them."""
    parts = [MemoryPart(name="weights", gib=compute_weights_gib(demand, cut))]
    if memory.counts_parts:
        parts += list_engine_parts(demand.shape, demand.quantisation, cut, demand.settings)
        parts += _list_page_cache(demand, memory)
    engine_gib = memory.runtime_gib + memory.link_gib * (cut.nodes > 1)
    return [*parts, MemoryPart(name="engine", gib=engine_gib)]


def compute_weights_gib(demand: Demand, cut: Cut) -> float:
    """Of the fullest node, less what stays on the disk."""
    weights_gib = compute_weights_bytes(demand.shape, demand.quantisation, cut) / GIB
    return max(weights_gib - demand.settings.disk_gib / cut.tensor_parallel, 0.0)


def _list_page_cache(demand: Demand, memory: NodeMemory) -> list[MemoryPart]:
    """What a start lacks where files in the page cache count as used."""
    if demand.settings.page_cache_gib is None:
        return []
    gib = memory.share_gib + demand.settings.page_cache_gib - MOST_OF_MEMORY * memory.usable_gib
    return [MemoryPart(name="page cache", gib=gib)] if gib > 0 else []


def compute_limit_gib(demand: Demand, memory: NodeMemory) -> float:
    """What all parts and the cache may take together."""
    if demand.settings.cache_gib is None:
        return memory.share_gib
    return MOST_OF_MEMORY * memory.usable_gib


def compute_free_gib(demand: Demand, memory: NodeMemory, parts: Iterable[MemoryPart]) -> float:
    free_gib = compute_limit_gib(demand, memory) - sum(part.gib for part in parts)
    fixed_gib = demand.settings.cache_gib
    return free_gib if fixed_gib is None else min(free_gib, fixed_gib)


def get_cache_gib(demand: Demand, memory: NodeMemory, cut: Cut, context_tokens: int) -> float:
    """GiB of cache of one sequence on the fullest node."""
    profile = _build_profile(demand.shape, cut)
    element_bytes = get_cache_element_bytes(demand.cache)
    if not memory.counts_parts:
        return profile.compute_bytes(context_tokens, element_bytes) / GIB
    step = demand.settings.get_step_tokens(demand.shape)
    return profile.compute_paged_bytes(context_tokens, element_bytes, step) / GIB


_build_profile: Callable[[ModelShape, Cut], CacheProfile] = lru_cache(maxsize=64)(
    build_cache_profile
)
