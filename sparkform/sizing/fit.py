"""What fits on 1 to 8 nodes, by how much, and with which context and batch. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sparkform.errors import InputError, Problem
from sparkform.models.quantisation import METHODS, Quantisation, plan_quantisation
from sparkform.models.shape import ModelShape, is_mixture
from sparkform.sizing.split import (
    CacheProfile,
    Cut,
    build_cache_profile,
    compute_weights_bytes,
    list_cuts,
)

GIB = 2**30
# Where a source names no longest context: beyond what any served model states.
CONTEXT_CEILING = 16 * 2**20
BATCH_CEILING = 2**16
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


@dataclass(frozen=True, kw_only=True)
class NodeMemory:
    """One node's memory for one service.

    `usable_gib` is what the operating system shows; `fraction` of it is the service's; the engine
    itself takes `runtime_gib` of that. `container_risk_gib` is how much less a container may
    leave (0 for a native service): a warning names it, nothing subtracts it.
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

    shape: ModelShape
    quantisation: Quantisation
    cache: str = "auto"
    batch: int = 1
    context: int | None = None

    @property
    def wanted_context(self) -> int:
        """The context that decides `fits`: the requested one, or 2,048 tokens."""
        return self.context or min(DEFAULT_CONTEXT, self.longest_context)

    @property
    def longest_context(self) -> int:
        """The model's own limit, as far as it is known."""
        return self.shape.max_position or CONTEXT_CEILING


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The answer for a number of nodes. `free_gib` is for the cache; negative: what is missing."""

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


def fit_over_node_counts(demand: Demand, memory: NodeMemory, node_counts: range) -> list[Fit]:
    """One answer for each node count, with the quantisations that would fit there."""
    return [_fit_with_alternatives(demand, memory, nodes) for nodes in node_counts]


def find_best_fit(demand: Demand, memory: NodeMemory, nodes: int) -> Fit:
    """The cut over `nodes` nodes with the most tensor parallelism that fits, else the largest."""
    possible = list_cuts(demand.shape, nodes)
    if not possible:
        return _build_impossible(demand, nodes)
    fitting = (cut for cut in possible if fits_cut(demand, memory, cut))
    return fit_cut(demand, memory, next(fitting, possible[0]))


def fits_cut(demand: Demand, memory: NodeMemory, cut: Cut) -> bool:
    """Whether weights and the cache of the wanted context and batch fit."""
    free_gib = (
        memory.budget_gib - compute_weights_bytes(demand.shape, demand.quantisation, cut) / GIB
    )
    needed = _get_cache_gib(demand, build_cache_profile(demand.shape, cut), demand.wanted_context)
    return needed * demand.batch <= free_gib


def fit_cut(demand: Demand, memory: NodeMemory, cut: Cut) -> Fit:
    """The answer for one cut."""
    weights_gib = compute_weights_bytes(demand.shape, demand.quantisation, cut) / GIB
    free_gib = memory.budget_gib - weights_gib
    profile = build_cache_profile(demand.shape, cut)
    per_sequence_gib = _get_cache_gib(demand, profile, demand.wanted_context)
    max_context = _find_largest(
        lambda tokens: _get_cache_gib(demand, profile, tokens) * demand.batch <= free_gib,
        demand.longest_context,
    )
    fits = per_sequence_gib * demand.batch <= free_gib
    return Fit(
        nodes=cut.nodes,
        tensor_parallel=cut.tensor_parallel,
        pipeline_parallel=cut.pipeline_parallel,
        weights_gib_per_node=weights_gib,
        free_gib=free_gib,
        max_context=max_context,
        max_batch=_find_largest(lambda batch: per_sequence_gib * batch <= free_gib, BATCH_CEILING),
        fits=fits,
        reason=_format_reason(demand, memory, free_gib, per_sequence_gib * demand.batch),
    )


def _get_cache_gib(demand: Demand, profile: CacheProfile, context_tokens: int) -> float:
    """GiB of cache of one sequence on the fullest node."""
    return profile.compute_bytes(context_tokens, get_cache_element_bytes(demand.cache)) / GIB


def _find_largest(holds: Callable[[int], bool], ceiling: int) -> int:
    """The largest count up to `ceiling` for which a property that only gets harder holds."""
    if holds(ceiling):
        return ceiling
    low, high = 0, ceiling
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _format_reason(demand: Demand, memory: NodeMemory, free_gib: float, needed_gib: float) -> str:
    limit = (
        f"{memory.usable_gib:.1f} GiB x {memory.fraction:g} - {memory.runtime_gib:g} GiB runtime"
    )
    if free_gib <= 0:
        return f"the weights need {-free_gib:.1f} GiB a node more than {limit}"
    if needed_gib > free_gib:
        return (
            f"{demand.batch} x {demand.wanted_context} tokens of cache need {needed_gib:.1f} GiB "
            f"a node, and {free_gib:.1f} GiB are free of {limit}"
        )
    sentence = f"{free_gib:.1f} GiB a node for the cache"
    if free_gib < memory.container_risk_gib:
        sentence += (
            f"; a container may leave {memory.container_risk_gib:g} GiB less (unverified), which "
            "runtime native avoids"
        )
    return sentence


def _build_impossible(demand: Demand, nodes: int) -> Fit:
    return Fit(
        nodes=nodes,
        tensor_parallel=0,
        pipeline_parallel=0,
        weights_gib_per_node=0.0,
        free_gib=0.0,
        max_context=0,
        max_batch=0,
        fits=False,
        reason=f"{len(demand.shape.blocks)} layers cannot be split over {nodes} nodes",
    )


def _fit_with_alternatives(demand: Demand, memory: NodeMemory, nodes: int) -> Fit:
    fit = find_best_fit(demand, memory, nodes)
    names = tuple(
        name
        for name in METHODS
        if name != "fp16" and _fits_with_method(demand, memory, nodes, name)
    )
    return replace(fit, quants_that_fit=names)


def _fits_with_method(demand: Demand, memory: NodeMemory, nodes: int, method: str) -> bool:
    alternative = plan_quantisation(METHODS[method], mixture=is_mixture(demand.shape))
    alternative_demand = replace(demand, quantisation=alternative)
    return any(fits_cut(alternative_demand, memory, cut) for cut in list_cuts(demand.shape, nodes))
