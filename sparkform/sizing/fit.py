"""What fits on 1 to 8 nodes, by how much, and with which context and batch. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sparkform.errors import InputError, Problem
from sparkform.models.quantisation import METHODS, Quantisation, quantised
from sparkform.models.shape import Shape, is_mixture
from sparkform.sizing.split import CacheProfile, Cut, cache_profile, cuts, weights_bytes

GIB = 2**30
# Where a source names no longest context: beyond what any served model states.
CONTEXT_CEILING = 16 * 2**20
BATCH_CEILING = 2**16
DEFAULT_CONTEXT = 2048
# Bytes a cache element. "auto" is the weights' own 16-bit type in both engines; nvfp4 has an
# 8-bit scale for each 16 elements.
CACHE_BYTES = {"auto": 2.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "nvfp4": 0.5 + 1 / 16}


def cache_element_bytes(cache: str) -> float:
    """Bytes of one cache element. Raises InputError for a cache type that no engine has."""
    if cache not in CACHE_BYTES:
        known = ", ".join(CACHE_BYTES)
        problem = Problem(path="KV cache type", what="is not known", got=cache, allowed=known)
        raise InputError([problem])
    return CACHE_BYTES[cache]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One node's memory for one service.

    `usable_gib` is what the operating system shows; `fraction` of it is the service's; the engine
    itself takes `runtime_gib` of that. `container_risk_gib` is how much less a container was seen
    to leave (0 for a native service): it is warned of, not subtracted.
    """

    usable_gib: float
    fraction: float
    runtime_gib: float
    container_risk_gib: float = 0.0

    @property
    def budget_gib(self) -> float:
        """What weights and cache may take together."""
        return self.usable_gib * self.fraction - self.runtime_gib


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What is to be served."""

    shape: Shape
    quantisation: Quantisation
    cache: str = "auto"
    batch: int = 1
    context: int | None = None

    @property
    def wanted_context(self) -> int:
        """The context that decides `fits`: the asked one, or 2,048 tokens."""
        return self.context or min(DEFAULT_CONTEXT, self.longest_context)

    @property
    def longest_context(self) -> int:
        """The model's own limit, as far as it is known."""
        return self.shape.max_position or CONTEXT_CEILING


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The answer for one number of nodes. `free_gib` is the room for the cache, or what lacks."""

    nodes: int
    tensor_parallel: int
    pipeline_parallel: int
    weights_gib_per_node: float
    free_gib: float
    max_context: int
    max_batch: int
    fits: bool
    reason: str
    quants_that_fit: tuple[str, ...] = ()


def fit_over_nodes(demand: Demand, memory: Memory, node_counts: range) -> list[Fit]:
    """One answer for each node count, with the quantisations that would fit there."""
    return [_with_alternatives(demand, memory, nodes) for nodes in node_counts]


def best_fit(demand: Demand, memory: Memory, nodes: int) -> Fit:
    """The cut over `nodes` nodes with the most tensor parallelism that fits, else the largest."""
    allowed = cuts(demand.shape, nodes)
    if not allowed:
        return _impossible(demand, nodes)
    holding = (cut for cut in allowed if cut_holds(demand, memory, cut))
    return fit_cut(demand, memory, next(holding, allowed[0]))


def cut_holds(demand: Demand, memory: Memory, cut: Cut) -> bool:
    """Whether weights and the cache of the wanted context and batch fit."""
    free_gib = memory.budget_gib - weights_bytes(demand.shape, demand.quantisation, cut) / GIB
    needed = _cache_gib(demand, cache_profile(demand.shape, cut), demand.wanted_context)
    return needed * demand.batch <= free_gib


def fit_cut(demand: Demand, memory: Memory, cut: Cut) -> Fit:
    """The answer for one cut."""
    weights_gib = weights_bytes(demand.shape, demand.quantisation, cut) / GIB
    free_gib = memory.budget_gib - weights_gib
    profile = cache_profile(demand.shape, cut)
    a_sequence = _cache_gib(demand, profile, demand.wanted_context)
    max_context = _largest(
        lambda tokens: _cache_gib(demand, profile, tokens) * demand.batch <= free_gib,
        demand.longest_context,
    )
    fits = a_sequence * demand.batch <= free_gib
    return Fit(
        nodes=cut.nodes,
        tensor_parallel=cut.tensor_parallel,
        pipeline_parallel=cut.pipeline_parallel,
        weights_gib_per_node=weights_gib,
        free_gib=free_gib,
        max_context=max_context,
        max_batch=_largest(lambda batch: a_sequence * batch <= free_gib, BATCH_CEILING),
        fits=fits,
        reason=_reason(demand, memory, free_gib, a_sequence * demand.batch),
    )


def _cache_gib(demand: Demand, profile: CacheProfile, context_tokens: int) -> float:
    """GiB of cache of one sequence on the fullest node."""
    return profile.bytes_for(context_tokens, cache_element_bytes(demand.cache)) / GIB


def _largest(holds: Callable[[int], bool], ceiling: int) -> int:
    """The largest count up to `ceiling` for which a property that only gets harder holds."""
    if holds(ceiling):
        return ceiling
    low, high = 0, ceiling
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _reason(demand: Demand, memory: Memory, free_gib: float, needed_gib: float) -> str:
    limit = (
        f"{memory.usable_gib:.1f} GiB x {memory.fraction:g} - {memory.runtime_gib:g} GiB runtime"
    )
    if free_gib <= 0:
        return f"the weights lack {-free_gib:.1f} GiB a node of {limit}"
    if needed_gib > free_gib:
        return (
            f"{demand.batch} x {demand.wanted_context} tokens of cache need {needed_gib:.1f} GiB "
            f"a node, and {free_gib:.1f} GiB are free of {limit}"
        )
    room = f"{free_gib:.1f} GiB a node for the cache"
    if free_gib < memory.container_risk_gib:
        room += (
            f"; a container was once seen to leave {memory.container_risk_gib:g} GiB less "
            "(unverified): runtime native avoids it"
        )
    return room


def _impossible(demand: Demand, nodes: int) -> Fit:
    return Fit(
        nodes=nodes,
        tensor_parallel=0,
        pipeline_parallel=0,
        weights_gib_per_node=0.0,
        free_gib=0.0,
        max_context=0,
        max_batch=0,
        fits=False,
        reason=f"no cut of {len(demand.shape.blocks)} layers over {nodes} nodes is allowed",
    )


def _with_alternatives(demand: Demand, memory: Memory, nodes: int) -> Fit:
    answer = best_fit(demand, memory, nodes)
    names = tuple(
        name for name in METHODS if name != "fp16" and _fits_as(demand, memory, nodes, name)
    )
    return replace(answer, quants_that_fit=names)


def _fits_as(demand: Demand, memory: Memory, nodes: int, method: str) -> bool:
    other = quantised(METHODS[method], mixture=is_mixture(demand.shape))
    tried = replace(demand, quantisation=other)
    return any(cut_holds(tried, memory, cut) for cut in cuts(demand.shape, nodes))
