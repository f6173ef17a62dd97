"""The parts of an engine's memory: what must hold for every model, and for published figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.memory_rows import MemoryRow, load_memory_rows
from benchmarks.reported_errors import compute_share_within, list_memory_errors
from sparkform.catalogue.describe import describe_model
from sparkform.models.quantisation import Quantisation
from sparkform.models.shape import Mixer, ModelShape
from sparkform.sizing.cache_profile import build_cache_profile, compute_token_bytes_beyond_windows
from sparkform.sizing.engine_memory import EngineSettings, count_graphs
from sparkform.sizing.fit import fit_cut
from sparkform.sizing.memory_budget import CACHE_BYTES, MOST_OF_MEMORY, Demand, NodeMemory
from sparkform.sizing.node_memory import get_node_memory
from sparkform.sizing.split import Cut
from tests.unit.sizing.strategies import quantisations, shapes

ONE_NODE = Cut(tensor_parallel=1, pipeline_parallel=1)
ROWS = load_memory_rows()
V4 = describe_model("deepseek-ai/DeepSeek-V4-Flash", config=None, facts=None, quant=None)
COUNTS = st.integers(1, 2**15)

settings_values = st.builds(
    EngineSettings,
    step_tokens=st.one_of(st.none(), COUNTS),
    sequences=st.one_of(st.none(), st.integers(1, 1024)),
    eager=st.booleans(),
    counts_graphs=st.booleans(),
    page_cache_gib=st.one_of(st.none(), st.floats(0, 200)),
    draft_method=st.sampled_from([None, "mtp", "ngram", "eagle3"]),
    draft_tokens=st.integers(0, 8),
    load_format=st.sampled_from(["", "instanttensor", "fastsafetensors"]),
)
memories = st.builds(
    lambda usable, share: replace(get_node_memory("vllm", usable_gib=usable), fraction=share),
    st.floats(1, 2000),
    st.floats(0.1, 1.0),
)


def measure_engine(
    shape: ModelShape, quantisation: Quantisation, settings: EngineSettings
) -> float:
    demand = Demand(shape=shape, quantisation=quantisation, settings=settings)
    parts = fit_cut(demand, get_node_memory("vllm"), ONE_NODE).parts
    return sum(part.gib for part in parts if part.name not in ("weights", "page cache"))


@given(shapes, quantisations, settings_values, memories)
def test_the_parts_and_what_is_free_add_up_to_the_share(
    shape: ModelShape, quantisation: Quantisation, settings: EngineSettings, memory: NodeMemory
) -> None:
    demand = Demand(shape=shape, quantisation=quantisation, settings=settings)
    answer = fit_cut(demand, memory, ONE_NODE)
    total_gib = sum(part.gib for part in answer.parts) + answer.free_gib
    assert total_gib == pytest.approx(memory.share_gib)
    assert all(part.gib >= 0 for part in answer.parts)


@given(shapes, quantisations, settings_values, COUNTS, st.integers(1, 64))
def test_more_work_at_once_never_takes_less(
    shape: ModelShape,
    quantisation: Quantisation,
    settings: EngineSettings,
    more: int,
    requests: int,
) -> None:
    before = measure_engine(shape, quantisation, replace(settings, step_tokens=100, sequences=1))
    bigger = replace(settings, step_tokens=100 + more, sequences=1 + requests)
    assert measure_engine(shape, quantisation, bigger) >= before


@given(shapes, quantisations, settings_values)
def test_eager_and_uncounted_graphs_never_take_more(
    shape: ModelShape, quantisation: Quantisation, settings: EngineSettings
) -> None:
    recorded = measure_engine(
        shape, quantisation, replace(settings, eager=False, counts_graphs=True)
    )
    for less in (replace(settings, eager=True), replace(settings, counts_graphs=False)):
        assert measure_engine(shape, quantisation, less) <= recorded


@given(shapes, quantisations, settings_values, st.floats(0, 50))
def test_a_fixed_cache_is_never_more_than_a_node_has(
    shape: ModelShape, quantisation: Quantisation, settings: EngineSettings, cache_gib: float
) -> None:
    memory = get_node_memory("vllm")
    demand = Demand(
        shape=shape,
        quantisation=quantisation,
        settings=replace(settings, cache_gib=cache_gib, page_cache_gib=None),
    )
    answer = fit_cut(demand, memory, ONE_NODE)
    assert answer.free_gib <= cache_gib
    taken_gib = sum(part.gib for part in answer.parts) + answer.free_gib
    assert taken_gib <= MOST_OF_MEMORY * memory.usable_gib + 1e-6
    assert fit_cut(demand, replace(memory, fraction=0.1), ONE_NODE).free_gib == answer.free_gib


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.sampled_from(sorted(CACHE_BYTES)))
def test_pages_grow_with_context_and_step(
    context: int, more: int, step: int, further: int, cache: str
) -> None:
    profile = build_cache_profile(V4.shape, Cut(tensor_parallel=2, pipeline_parallel=1))
    element_bytes = CACHE_BYTES[cache]
    paged = profile.compute_paged_bytes(context, element_bytes, step)
    assert paged <= profile.compute_paged_bytes(context + more, element_bytes, step)
    assert paged <= profile.compute_paged_bytes(context, element_bytes, step + further)


@given(shapes, COUNTS)
def test_pages_change_nothing_for_other_caches(shape: ModelShape, context: int) -> None:
    profile = build_cache_profile(shape, ONE_NODE)
    assert profile.compute_paged_bytes(context, 2.0, 8192) == profile.compute_bytes(context, 2.0)


@pytest.mark.parametrize(
    ("sequences", "drafts", "graphs"),
    # As logs name them: 51 + 35 by default, 11 + 7 for 32 requests, 23 for 20 with three drafts.
    [(None, 0, 86), (32, 0, 18), (20, 3, 23), (1, 0, 3)],
)
def test_graphs_are_recorded_for_the_sizes_of_vllm(
    sequences: int | None, drafts: int, graphs: int
) -> None:
    assert count_graphs(EngineSettings(sequences=sequences, draft_tokens=drafts)) == graphs


@pytest.mark.parametrize(("cache", "expected"), [("auto", 6880), ("fp8", 3850), ("nvfp4", 2780)])
def test_a_compressed_cache_counts_its_index_keys(cache: str, expected: int) -> None:
    """16 bits by vLLM's own sum; fp8 as 584 bytes an entry and 132 an index key."""
    beyond = compute_token_bytes_beyond_windows(V4.shape, CACHE_BYTES[cache])
    assert beyond == pytest.approx(expected, rel=0.01)


def test_an_index_costs_nothing_where_there_is_none() -> None:
    plain = Mixer(kind="latent", parameters=1, heads=8, kv_heads=1, kv_elements=576)
    assert plain.index_elements == plain.rope_elements == 0


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.case.id)
def test_each_published_figure_is_computed(row: MemoryRow) -> None:
    assert row.predicted > 0


@pytest.mark.parametrize("drawn", [False, True])
def test_nine_of_ten_published_figures_are_met_within_a_tenth(drawn: bool) -> None:
    assert compute_share_within(list_memory_errors(drawn=drawn), 0.10) >= 0.9


def test_a_constant_that_is_wrong_is_seen_in_the_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkform.sizing.engine_memory.SPARSE_BUFFERS", 1)
    assert compute_share_within(list_memory_errors(drawn=False), 0.10) < 0.9
