"""The bandwidth is a law: no prediction passes it, and claims that do are rejected."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speed_rows import DATA, load_claims, load_rows
from sparkform.models.quantisation import METHODS, Quantisation, plan_quantisation
from sparkform.models.shape import ModelShape, is_mixture
from sparkform.sizing.calibration import build_machine, load_calibration
from sparkform.sizing.split import Cut, list_cuts
from sparkform.sizing.throughput import NodePerformance, Traffic, predict_speed
from sparkform.sizing.throughput_load import ServedModel, compute_bandwidth_bound
from sparkform.sizing.throughput_ranges import classify_model
from tests.unit.sizing.strategies import quantisations, shapes

NODE = build_machine()
FITTED = load_calibration().parameters
ONE_NODE = Cut(tensor_parallel=1, pipeline_parallel=1)


def predict_tok_s(
    model: ServedModel, concurrency: int, node: NodePerformance = NODE, context: int = 512
) -> float:
    traffic = Traffic(concurrency=concurrency, prompt_tokens=context, output_tokens=2)
    return predict_speed(model, traffic, node, FITTED).decode_tok_s


@given(shapes, quantisations, st.integers(1, 8), st.integers(1, 256))
def test_no_prediction_passes_the_bandwidth(
    shape: ModelShape, quantisation: Quantisation, nodes: int, concurrency: int
) -> None:
    for cut in list_cuts(shape, nodes):
        model = ServedModel(shape=shape, quantisation=quantisation, cut=cut)
        bound = compute_bandwidth_bound(model, concurrency, NODE.bandwidth_gb_s)
        assert predict_tok_s(model, concurrency) <= bound


@given(shapes, st.integers(1, 8), st.integers(1, 64))
def test_more_bits_never_run_faster_when_memory_bound(
    shape: ModelShape, nodes: int, concurrency: int
) -> None:
    mixture = is_mixture(shape)
    for cut in list_cuts(shape, nodes):
        quantisations_by_name = {
            name: plan_quantisation(METHODS[name], mixture=mixture)
            for name in ("bf16", "fp8", "int4", "nvfp4")
        }
        rates = {
            name: predict_tok_s(ServedModel(shape=shape, quantisation=bits, cut=cut), concurrency)
            for name, bits in quantisations_by_name.items()
        }
        assert rates["bf16"] <= rates["fp8"]
        assert rates["fp8"] <= min(rates["int4"], rates["nvfp4"])


@given(shapes, quantisations, st.integers(1, 64), st.integers(0, 4096), st.integers(0, 65536))
def test_a_longer_context_never_runs_faster(
    shape: ModelShape, quantisation: Quantisation, concurrency: int, tokens: int, extra_tokens: int
) -> None:
    model = ServedModel(shape=shape, quantisation=quantisation, cut=ONE_NODE)
    assert predict_tok_s(model, concurrency, context=tokens + extra_tokens) <= predict_tok_s(
        model, concurrency, context=tokens
    )


@given(shapes, quantisations, st.integers(1, 127))
def test_one_request_more_never_slows_all_down_nor_speeds_one_up(
    shape: ModelShape, quantisation: Quantisation, concurrency: int
) -> None:
    model = ServedModel(shape=shape, quantisation=quantisation, cut=ONE_NODE)
    fewer, with_one_more = predict_tok_s(model, concurrency), predict_tok_s(model, concurrency + 1)
    assert with_one_more >= fewer * (1 - 1e-9)
    assert with_one_more / (concurrency + 1) <= fewer / concurrency * (1 + 1e-9)


@given(shapes, quantisations, st.floats(1, 25), st.floats(0, 100))
def test_a_slower_link_never_runs_faster(
    shape: ModelShape, quantisation: Quantisation, bandwidth: float, latency: float
) -> None:
    slow = NodePerformance(
        bandwidth_gb_s=NODE.bandwidth_gb_s,
        compute_tflops=NODE.compute_tflops,
        link_gb_s=bandwidth,
        link_latency_us=latency + 8.5,
    )
    fast = NodePerformance(**{**slow.__dict__, "link_gb_s": 25.0, "link_latency_us": 8.5})
    for cut in list_cuts(shape, 2):
        model = ServedModel(shape=shape, quantisation=quantisation, cut=cut)
        assert predict_tok_s(model, 4, slow) <= predict_tok_s(model, 4, fast)


@pytest.mark.parametrize("claim", load_claims(), ids=lambda claim: claim.source["id"])
def test_a_claim_above_the_bandwidth_is_rejected(claim: object) -> None:
    assert claim.is_rejected  # type: ignore[attr-defined]


def test_measured_rows_pass_but_for_the_one_that_ran_another_checkpoint() -> None:
    """The control: the same code lets the measured rows pass. S249 is in docs/corrections.md."""
    above = [row.source["id"] for row in load_rows() if row.is_above_bandwidth]
    assert above == ["S249"]


def test_a_row_above_the_bandwidth_judges_the_model_but_does_not_shape_it() -> None:
    fitted = {row.source["id"]: row.is_fitted for row in load_rows()}
    assert not fitted["S249"]
    assert not fitted["S106"]
    assert fitted["S091"]


def test_every_row_and_claim_names_its_source() -> None:
    document = json.loads(DATA.read_text())
    for row in [*document["rows"], *document["unused"], *document["claims"]]:
        assert len(row["source"]) > 8, row["id"]
    assert all(len(row["because"]) > 8 for row in document["unused"])


def test_the_bound_says_what_takes_the_time() -> None:
    from sparkform.catalogue import store
    from sparkform.catalogue.describe import read_catalogue_shape

    shape = read_catalogue_shape(store.get_entry("qwen3-8b"))
    model = ServedModel(
        shape=shape, quantisation=plan_quantisation(METHODS["nvfp4"], mixture=False), cut=ONE_NODE
    )
    wide = ServedModel(
        shape=shape,
        quantisation=model.quantisation,
        cut=Cut(tensor_parallel=8, pipeline_parallel=1),
    )

    def predict_bound(served: ServedModel, concurrency: int, link: str) -> str:
        traffic = Traffic(concurrency=concurrency, prompt_tokens=16, output_tokens=2)
        return predict_speed(served, traffic, build_machine(link), FITTED).bound

    assert predict_bound(model, 1, "direct") == "memory"
    assert predict_bound(model, 4096, "direct") == "compute"
    assert predict_bound(wide, 1, "socket") == "link"


def test_classes_follow_kernels() -> None:
    rows = {row.source["id"]: classify_model(row.model) for row in load_rows()}
    assert rows["S065"] == "dense 16bit"
    assert rows["S091"] == "mixture 4bit-micro"
    assert rows["F004"] == "dense 8bit"
