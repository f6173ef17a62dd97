"""What must hold for every model, whatever its figures are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sparkform.models.quantisation import METHODS, Quantisation, plan_quantisation
from sparkform.models.shape import ModelShape, count_parameters, is_mixture
from sparkform.sizing.cache_profile import build_cache_profile
from sparkform.sizing.engine_memory import GIB
from sparkform.sizing.fit import find_best_fit, fit_cut, fit_over_node_counts
from sparkform.sizing.memory_budget import Demand, NodeMemory
from sparkform.sizing.split import (
    Cut,
    compute_stage_lengths,
    compute_stage_weights_bytes,
    compute_weights_bytes,
    list_cuts,
)
from tests.unit.sizing.strategies import quantisations, shapes

NODES = st.integers(1, 8)


def build_memory(usable_gib: float) -> NodeMemory:
    return NodeMemory(usable_gib=usable_gib, fraction=0.85, runtime_gib=0.01)


@given(shapes, quantisations, NODES, st.floats(0.05, 20), st.floats(0, 20))
def test_more_memory_never_fits_less(
    shape: ModelShape, quantisation: Quantisation, nodes: int, usable: float, extra_gib: float
) -> None:
    demand = Demand(shape=shape, quantisation=quantisation)
    less_memory = find_best_fit(demand, build_memory(usable), nodes)
    more_memory = find_best_fit(demand, build_memory(usable + extra_gib), nodes)
    assert more_memory.fits >= less_memory.fits
    if less_memory.fits:
        cut = Cut(
            tensor_parallel=less_memory.tensor_parallel,
            pipeline_parallel=less_memory.pipeline_parallel,
        )
        bigger = fit_cut(demand, build_memory(usable + extra_gib), cut)
        assert bigger.max_context >= less_memory.max_context
        assert bigger.max_batch >= less_memory.max_batch


@given(shapes, NODES, st.integers(1, 2**17), st.integers(0, 2**17), st.sampled_from([1.0, 2.0]))
def test_a_longer_context_never_needs_less_memory(
    shape: ModelShape, nodes: int, tokens: int, extra_tokens: int, element_bytes: float
) -> None:
    for cut in list_cuts(shape, nodes):
        profile = build_cache_profile(shape, cut)
        assert profile.compute_bytes(tokens + extra_tokens, element_bytes) >= profile.compute_bytes(
            tokens, element_bytes
        )


@given(shapes, quantisations, st.integers(1, 4))
def test_tensor_parallel_never_raises_the_weights_of_a_node(
    shape: ModelShape, quantisation: Quantisation, stages: int
) -> None:
    allowed = [
        Cut(tensor_parallel=ranks, pipeline_parallel=stages)
        for ranks in (1, 2, 4, 8)
        if Cut(tensor_parallel=ranks, pipeline_parallel=1) in list_cuts(shape, ranks)
        and stages <= len(shape.blocks)
    ]
    sizes = [compute_weights_bytes(shape, quantisation, cut) for cut in allowed]
    assert sizes == sorted(sizes, reverse=True)


@given(shapes, NODES)
def test_fewer_bits_never_need_more_memory(shape: ModelShape, nodes: int) -> None:
    mixture = is_mixture(shape)
    for cut in list_cuts(shape, nodes):
        sizes = [
            compute_weights_bytes(shape, plan_quantisation(METHODS[name], mixture=mixture), cut)
            for name in ("bf16", "fp8", "nvfp4", "int4")
        ]
        assert sizes == sorted(sizes, reverse=True)


@given(shapes, quantisations, NODES)
def test_the_stages_together_hold_at_least_the_whole_model(
    shape: ModelShape, quantisation: Quantisation, nodes: int
) -> None:
    total_bytes = compute_weights_bytes(
        shape, quantisation, Cut(tensor_parallel=1, pipeline_parallel=1)
    )
    for cut in list_cuts(shape, nodes):
        stage_bytes = (
            sum(compute_stage_weights_bytes(shape, quantisation, cut)) * cut.tensor_parallel
        )
        assert stage_bytes >= total_bytes * (1 - 1e-9)


@given(shapes)
def test_one_node_in_16_bits_holds_two_bytes_a_parameter(shape: ModelShape) -> None:
    sixteen = plan_quantisation(METHODS["bf16"], mixture=False)
    size = compute_weights_bytes(shape, sixteen, Cut(tensor_parallel=1, pipeline_parallel=1))
    assert size == 2 * count_parameters(shape)


@given(shapes, quantisations, st.floats(0.5, 40))
def test_the_largest_context_fits_and_one_token_more_does_not(
    shape: ModelShape, quantisation: Quantisation, usable: float
) -> None:
    demand = Demand(shape=shape, quantisation=quantisation, batch=3)
    for answer in fit_over_node_counts(demand, build_memory(usable), range(1, 5)):
        if not 0 < answer.max_context < 2**17:
            continue
        cut = Cut(
            tensor_parallel=answer.tensor_parallel, pipeline_parallel=answer.pipeline_parallel
        )
        profile = build_cache_profile(shape, cut)
        free = answer.free_gib * GIB
        assert 3 * profile.compute_bytes(answer.max_context, 2.0) <= free + 1e-3
        assert 3 * profile.compute_bytes(answer.max_context + 1, 2.0) > free - 1e-3


@given(st.integers(1, 200), st.integers(1, 8))
def test_stages_hold_all_layers_and_differ_by_one_at_most(layers: int, stages: int) -> None:
    lengths = compute_stage_lengths(max(layers, stages), stages)
    assert sum(lengths) == max(layers, stages)
    assert max(lengths) - min(lengths) <= 1


def test_the_properties_would_find_a_size_that_grows_with_ranks() -> None:
    """The control: replicated weights are seen by the comparison that the property makes."""
    sizes = [10.0, 6.0, 6.5]
    assert sizes != sorted(sizes, reverse=True)
    assert replace(build_memory(1), usable_gib=2).share_gib > build_memory(1).share_gib
