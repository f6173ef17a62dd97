"""The fitted file belongs to the data and to the code, and says its errors as they are."""

from __future__ import annotations

import json
from statistics import median

import pytest

from benchmarks.speed_rows import load_rows
from benchmarks.speed_tables import list_drawn_inside
from sparkform.catalogue import store
from sparkform.catalogue.describe import apply_image, describe_model, describe_row
from sparkform.errors import InputError
from sparkform.sizing.calibration import build_machine, load_calibration
from sparkform.sizing.node_memory import require_engine
from sparkform.sizing.row_request import build_row_model, build_row_traffic, predict_row
from sparkform.sizing.split import Cut
from sparkform.sizing.throughput import Traffic, predict_speed
from sparkform.sizing.throughput_load import (
    ServedModel,
    estimate_touched_experts,
    get_compute_width,
    get_slowest_stage_share,
)

DOCUMENT = json.loads((store.DATA / "throughput.json").read_text())
ROWS = load_rows()


def test_the_stored_errors_are_those_of_the_stored_parameters() -> None:
    """A changed model or row without a new fit is found here."""
    parameters = load_calibration().parameters
    misses = [abs(row.predict(parameters) / row.measured - 1) for row in ROWS]
    stored = DOCUMENT["errors"]["seen"]["all"]
    assert stored["rows"] == len(misses)
    assert stored["median"] == pytest.approx(median(misses), abs=2e-3)
    assert stored["within_35_percent"] == pytest.approx(
        sum(miss <= 0.35 for miss in misses) / len(misses), abs=1e-3
    )


def test_each_row_was_predicted_by_a_fit_that_never_saw_its_model() -> None:
    left_out = DOCUMENT["left_out_predictions"]
    assert set(left_out) == {row.source["id"] for row in ROWS}
    misses = [abs(left_out[row.source["id"]] / row.measured - 1) for row in ROWS]
    assert DOCUMENT["errors"]["model_left_out"]["all"]["median"] == pytest.approx(
        median(misses), abs=1e-3
    )


def test_decoding_of_models_left_out_stays_near_the_goal() -> None:
    """The goal is a median of 12 % and nine of ten within 35 %; see docs/prediction.md."""
    unseen = DOCUMENT["errors"]["model_left_out"]["decode"]
    assert unseen["median"] <= 0.14
    assert unseen["within_35_percent"] >= 0.89


def test_the_range_holds_eight_of_ten_rows_that_it_never_saw() -> None:
    assert DOCUMENT["coverage"]["model_left_out"] >= 0.8
    inside = list_drawn_inside()
    assert sum(inside) >= 0.8 * len(inside) > 20


def test_a_planted_error_in_a_parameter_is_seen_in_the_errors() -> None:
    from dataclasses import replace

    worse = replace(load_calibration().parameters, layer_s={"dense": 2e-3, "mixture": 2e-3})
    misses = [abs(row.predict(worse) / row.measured - 1) for row in ROWS]
    assert median(misses) > 2 * DOCUMENT["errors"]["seen"]["all"]["median"]


def test_all_parameters_are_physical() -> None:
    parameters = load_calibration().parameters
    shares = [
        *parameters.dense_efficiency.values(),
        *parameters.expert_efficiency.values(),
        *parameters.prefill_efficiency.values(),
        *parameters.engine_expert_factor.values(),
        parameters.cache_efficiency,
        parameters.routing_spread,
    ]
    assert all(0 < share <= 1 for share in shares)
    seconds = [
        *parameters.layer_s.values(),
        *parameters.first_token_s.values(),
        parameters.eager_layer_s,
        parameters.step_s,
        parameters.sequence_s,
    ]
    assert min(seconds) > 0


def test_every_class_with_a_spread_has_enough_rows_and_reaches_both_ways() -> None:
    for name, spread in load_calibration().spreads.items():
        assert spread.rows >= 5, name
        assert spread.low <= 1 <= spread.high, name


def test_a_row_of_the_catalogue_and_its_command_agree() -> None:
    row = {"model": "openai/gpt-oss-120b", "quant": "mxfp4", "tp": 2, "concurrency": 8}
    subject = describe_model("openai/gpt-oss-120b", config=None, facts=None, quant="mxfp4")
    assert describe_row(row) == subject
    prediction = predict_row(subject, row, build_machine())
    assert prediction.decode_low_tok_s <= prediction.speed.decode_tok_s
    assert prediction.decode_high_tok_s >= prediction.speed.decode_tok_s
    assert prediction.speed.decode_tok_s == 8 * prediction.speed.per_request_tok_s


def test_a_row_without_a_known_handle_uses_its_own_facts() -> None:
    row = {"model": "unknown/x", "quant": "fp8", "parameters": 8e9, "weight_bits": 8}
    assert describe_row(row).entry is None


def test_an_image_that_converts_more_runs_faster() -> None:
    subject = describe_model("openai/gpt-oss-120b", config=None, facts=None, quant=None)
    converted = apply_image(subject, "vllm-node-mxfp4")
    assert apply_image(subject, "some/other:image") == subject
    row = {"concurrency": 1}
    unconverted = predict_row(subject, row, build_machine()).speed.decode_tok_s
    assert predict_row(converted, row, build_machine()).speed.decode_tok_s > 1.2 * unconverted


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"tp": 0}, "tp"),
        ({"concurrency": -1}, "concurrency"),
        ({"prompt_tokens": "long"}, "prompt_tokens"),
        ({"engine": "vlm"}, "did you mean vllm"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(row: dict[str, object], sentence: str) -> None:
    subject = describe_model("qwen3-8b", config=None, facts=None, quant=None)
    with pytest.raises(InputError, match=sentence):
        build_row_model(subject, row)


def test_gaps_in_a_row_mean_one_or_the_usual_lengths() -> None:
    traffic = build_row_traffic({"concurrency": None, "prompt_tokens": None, "dp": None})
    assert (traffic.concurrency, traffic.replicas, traffic.prompt_tokens) == (1, 1, 128)


def test_unknown_links_and_engines_are_refused() -> None:
    with pytest.raises(InputError, match="direct"):
        build_machine("carrier-pigeon")
    with pytest.raises(InputError, match="vllm, trtllm"):
        require_engine("sglang")


@pytest.mark.parametrize(("tokens", "expected"), [(0, 0.0), (1, 4.0), (1e6, 128.0), (2, 7.875)])
def test_experts_touched_grow_from_those_of_one_token_to_all(
    tokens: float, expected: float
) -> None:
    assert estimate_touched_experts(128, 4, tokens) == pytest.approx(expected)


def predict_gpt_oss(**settings: object) -> float:
    subject = describe_model("openai/gpt-oss-120b", config=None, facts=None, quant=None)
    row: dict[str, object] = {"concurrency": 1, "prompt_tokens": 64, **settings}
    return predict_row(subject, row, build_machine()).speed.decode_tok_s


def test_steps_without_graphs_take_longer() -> None:
    assert predict_gpt_oss(eager=True) < 0.8 * predict_gpt_oss()


def test_a_named_kernel_counts_for_experts() -> None:
    assert predict_gpt_oss(moe_backend="flashinfer_b12x") > predict_gpt_oss()
    assert predict_gpt_oss(moe_backend="marlin") == predict_gpt_oss()


def test_drafts_help_by_what_is_accepted_and_never_beyond_their_number() -> None:
    plain = predict_gpt_oss()
    guessed, good = (
        predict_gpt_oss(speculative=method, draft_tokens=2) for method in ("ngram", "dspark")
    )
    assert guessed < good < 3 * plain
    assert predict_gpt_oss(speculative="ngram", draft_tokens=0) == plain


def build_model(cut: Cut) -> ServedModel:
    subject = describe_model("llama-3.1-8b", config=None, facts=None, quant=None)
    return ServedModel(shape=subject.shape, quantisation=subject.quantisation, cut=cut)


def test_a_pipeline_gives_one_request_nothing_and_many_the_sum_of_its_stages() -> None:
    parameters = load_calibration().parameters

    def predict_rate(of: ServedModel, concurrency: int) -> float:
        traffic = Traffic(concurrency=concurrency, prompt_tokens=64, output_tokens=2)
        return predict_speed(of, traffic, build_machine(), parameters).decode_tok_s

    single_stage = build_model(Cut(tensor_parallel=1, pipeline_parallel=1))
    two_stages = build_model(Cut(tensor_parallel=1, pipeline_parallel=2))
    assert predict_rate(two_stages, 1) == pytest.approx(predict_rate(single_stage, 1), rel=0.02)
    assert predict_rate(two_stages, 2) == pytest.approx(2 * predict_rate(single_stage, 1), rel=0.02)
    assert get_slowest_stage_share(two_stages) == 0.5


def test_replicas_share_the_requests() -> None:
    parameters = load_calibration().parameters
    single_node = build_model(Cut(tensor_parallel=1, pipeline_parallel=1))

    def predict_rate(concurrency: int, replicas: int) -> float:
        traffic = Traffic(
            concurrency=concurrency, prompt_tokens=64, output_tokens=2, replicas=replicas
        )
        return predict_speed(single_node, traffic, build_machine(), parameters).decode_tok_s

    assert predict_rate(8, 2) == pytest.approx(2 * predict_rate(4, 1))
    assert predict_rate(1, 2) == predict_rate(1, 1)


def test_a_longer_prompt_waits_longer_for_its_first_token() -> None:
    parameters = load_calibration().parameters
    single_node = build_model(Cut(tensor_parallel=1, pipeline_parallel=1))
    waits = [
        predict_speed(
            single_node,
            Traffic(concurrency=1, prompt_tokens=length, output_tokens=2),
            build_machine(),
            parameters,
        ).ttft_s
        for length in (1, 512, 4096, 32768)
    ]
    assert waits == sorted(waits)
    assert waits[3] / waits[2] > 8


@pytest.mark.parametrize(
    ("engine", "quant", "width"),
    [("vllm", "nvfp4", "16bit"), ("trtllm", "nvfp4", "4bit"), ("trtllm", "fp8", "8bit")],
)
def test_the_engine_decides_in_which_width_it_computes(engine: str, quant: str, width: str) -> None:
    subject = describe_model("llama-3.1-8b", config=None, facts=None, quant=quant)
    served = build_row_model(subject, {"engine": engine})
    assert get_compute_width(served) == width
