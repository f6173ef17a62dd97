"""What fits on 1 to 8 nodes, by how much, and with which context and batch. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sparkform.models.quantisation import METHODS, plan_quantisation
from sparkform.models.shape import is_mixture
from sparkform.sizing.engine_memory import MemoryPart
from sparkform.sizing.memory_budget import (
    Demand,
    NodeMemory,
    compute_free_gib,
    compute_limit_gib,
    compute_weights_gib,
    get_cache_gib,
    list_parts,
)
from sparkform.sizing.split import Cut, list_cuts

BATCH_CEILING = 2**16


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The answer for a number of nodes. `free_gib` is for the cache; negative: what is missing.

    `parts` add up to what the engine takes before the cache; `cache_gib` is what is asked for.
    """

    nodes: int
    tensor_parallel: int
    pipeline_parallel: int
    weights_gib_per_node: float
    free_gib: float
    max_context: int
    max_batch: int
    fits: bool
    reason: str
    limit_gib: float = 0.0
    parts: tuple[MemoryPart, ...] = ()
    cache_gib: float = 0.0
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
    """Whether all parts and the cache of the wanted context and batch fit."""
    free_gib = compute_free_gib(demand, memory, list_parts(demand, memory, cut))
    needed = get_cache_gib(demand, memory, cut, demand.wanted_context)
    return needed * demand.batch <= free_gib


def fit_cut(demand: Demand, memory: NodeMemory, cut: Cut) -> Fit:
    """The answer for one cut."""
    parts = list_parts(demand, memory, cut)
    free_gib = compute_free_gib(demand, memory, parts)
    per_sequence_gib = get_cache_gib(demand, memory, cut, demand.wanted_context)
    max_context = _find_largest(
        lambda tokens: get_cache_gib(demand, memory, cut, tokens) * demand.batch <= free_gib,
        demand.longest_context,
    )
    answer = Fit(
        nodes=cut.nodes,
        tensor_parallel=cut.tensor_parallel,
        pipeline_parallel=cut.pipeline_parallel,
        weights_gib_per_node=compute_weights_gib(demand, cut),
        free_gib=free_gib,
        max_context=max_context,
        max_batch=_find_largest(lambda batch: per_sequence_gib * batch <= free_gib, BATCH_CEILING),
        fits=per_sequence_gib * demand.batch <= free_gib,
        reason="",
        limit_gib=compute_limit_gib(demand, memory),
        parts=tuple(parts),
        cache_gib=per_sequence_gib * demand.batch,
    )
    return replace(answer, reason=_format_reason(demand, memory, answer))


def _find_largest(holds: Callable[[int], bool], ceiling: int) -> int:
    """The largest count up to `ceiling` for which a property that only gets harder holds."""
    if holds(ceiling):
        return ceiling
    low, high = 0, ceiling
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def format_parts(parts: Iterable[MemoryPart]) -> str:
    """The sum in words: "weights 62.4, activations 0.8, engine 4.7"."""
    return ", ".join(f"{part.name} {part.gib:.1f}" for part in parts)


def _format_reason(demand: Demand, memory: NodeMemory, fit: Fit) -> str:
    sum_text = format_parts(fit.parts)
    if fit.free_gib <= 0:
        return f"{sum_text} GiB need {-fit.free_gib:.1f} GiB a node more than {fit.limit_gib:.1f}"
    if not fit.fits:
        return (
            f"{demand.batch} x {demand.wanted_context} tokens of cache need {fit.cache_gib:.1f} "
            f"GiB a node, {fit.free_gib:.1f} of {fit.limit_gib:.1f} are left by {sum_text}"
        )
    sentence = f"{fit.free_gib:.1f} GiB a node for the cache"
    if fit.free_gib < memory.container_risk_gib:
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
