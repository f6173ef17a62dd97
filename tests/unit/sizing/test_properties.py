"""What must hold for every model, whatever its figures are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sparkform.models.quantisation import METHODS, Quantisation, quantised
from sparkform.models.shape import Shape, is_mixture, total_parameters
from sparkform.sizing.fit import GIB, Demand, Memory, best_fit, fit_cut, fit_over_nodes
from sparkform.sizing.split import (
    Cut,
    cache_profile,
    cuts,
    stage_lengths,
    stage_weights_bytes,
    weights_bytes,
)
from tests.unit.sizing.strategies import quantisations, shapes

NODES = st.integers(1, 8)


def memory(usable_gib: float) -> Memory:
    return Memory(usable_gib=usable_gib, fraction=0.85, runtime_gib=0.01)


@given(shapes, quantisations, NODES, st.floats(0.05, 20), st.floats(0, 20))
def test_more_memory_never_fits_less(
    shape: Shape, quantisation: Quantisation, nodes: int, usable: float, more: float
) -> None:
    demand = Demand(shape=shape, quantisation=quantisation)
    less_memory = best_fit(demand, memory(usable), nodes)
    more_memory = best_fit(demand, memory(usable + more), nodes)
    assert more_memory.fits >= less_memory.fits
    if less_memory.fits:
        cut = Cut(
            tensor_parallel=less_memory.tensor_parallel,
            pipeline_parallel=less_memory.pipeline_parallel,
        )
        bigger = fit_cut(demand, memory(usable + more), cut)
        assert bigger.max_context >= less_memory.max_context
        assert bigger.max_batch >= less_memory.max_batch


@given(shapes, NODES, st.integers(1, 2**17), st.integers(0, 2**17), st.sampled_from([1.0, 2.0]))
def test_a_longer_context_never_needs_less_memory(
    shape: Shape, nodes: int, tokens: int, more: int, element_bytes: float
) -> None:
    for cut in cuts(shape, nodes):
        profile = cache_profile(shape, cut)
        assert profile.bytes_for(tokens + more, element_bytes) >= profile.bytes_for(
            tokens, element_bytes
        )


@given(shapes, quantisations, st.integers(1, 4))
def test_tensor_parallel_never_raises_the_weights_of_a_node(
    shape: Shape, quantisation: Quantisation, stages: int
) -> None:
    allowed = [
        Cut(tensor_parallel=ranks, pipeline_parallel=stages)
        for ranks in (1, 2, 4, 8)
        if Cut(tensor_parallel=ranks, pipeline_parallel=1) in cuts(shape, ranks)
        and stages <= len(shape.blocks)
    ]
    sizes = [weights_bytes(shape, quantisation, cut) for cut in allowed]
    assert sizes == sorted(sizes, reverse=True)


@given(shapes, NODES)
def test_fewer_bits_never_need_more_memory(shape: Shape, nodes: int) -> None:
    mixture = is_mixture(shape)
    for cut in cuts(shape, nodes):
        sizes = [
            weights_bytes(shape, quantised(METHODS[name], mixture=mixture), cut)
            for name in ("bf16", "fp8", "nvfp4", "int4")
        ]
        assert sizes == sorted(sizes, reverse=True)


@given(shapes, quantisations, NODES)
def test_the_stages_together_hold_at_least_the_whole_model(
    shape: Shape, quantisation: Quantisation, nodes: int
) -> None:
    whole = weights_bytes(shape, quantisation, Cut(tensor_parallel=1, pipeline_parallel=1))
    for cut in cuts(shape, nodes):
        held = sum(stage_weights_bytes(shape, quantisation, cut)) * cut.tensor_parallel
        assert held >= whole * (1 - 1e-9)


@given(shapes)
def test_one_node_in_16_bits_holds_two_bytes_a_parameter(shape: Shape) -> None:
    sixteen = quantised(METHODS["bf16"], mixture=False)
    size = weights_bytes(shape, sixteen, Cut(tensor_parallel=1, pipeline_parallel=1))
    assert size == 2 * total_parameters(shape)


@given(shapes, quantisations, st.floats(0.5, 40))
def test_the_largest_context_fits_and_one_token_more_does_not(
    shape: Shape, quantisation: Quantisation, usable: float
) -> None:
    demand = Demand(shape=shape, quantisation=quantisation, batch=3)
    for answer in fit_over_nodes(demand, memory(usable), range(1, 5)):
        if not 0 < answer.max_context < 2**17:
            continue
        cut = Cut(
            tensor_parallel=answer.tensor_parallel, pipeline_parallel=answer.pipeline_parallel
        )
        profile = cache_profile(shape, cut)
        free = answer.free_gib * GIB
        assert 3 * profile.bytes_for(answer.max_context, 2.0) <= free + 1e-3
        assert 3 * profile.bytes_for(answer.max_context + 1, 2.0) > free - 1e-3


@given(st.integers(1, 200), st.integers(1, 8))
def test_stages_hold_all_layers_and_differ_by_one_at_most(layers: int, stages: int) -> None:
    lengths = stage_lengths(max(layers, stages), stages)
    assert sum(lengths) == max(layers, stages)
    assert max(lengths) - min(lengths) <= 1


def test_the_properties_would_find_a_size_that_grows_with_ranks() -> None:
    """The control: replicated weights are seen by the comparison that the property makes."""
    sizes = [10.0, 6.0, 6.5]
    assert sizes != sorted(sizes, reverse=True)
    assert replace(memory(1), usable_gib=2).budget_gib > memory(1).budget_gib
