"""A rack's own measurements: the error falls where there are enough, and the range stays honest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkform.catalogue.describe import describe_model
from sparkform.sizing.calibration import build_machine, load_calibration
from sparkform.sizing.rack_calibration import (
    MeasuredSpeed,
    find_fit,
    fit_class,
    fit_classes,
)
from sparkform.sizing.row_request import build_row_model, build_row_traffic
from sparkform.sizing.throughput import predict_speed

MODEL = "openai/gpt-oss-120b"
LEVELS = (1, 2, 4, 8, 16, 32)


def measure_synthetic(
    levels: tuple[int, ...], reading: float, launching: float
) -> list[MeasuredSpeed]:
    """A rack whose efficiencies differ from the published ones: it reads and launches slower."""
    subject = describe_model(MODEL, config=None, facts=None, quant=None)
    published = load_calibration().parameters
    slower = replace(
        published,
        dense_efficiency={k: v * reading for k, v in published.dense_efficiency.items()},
        expert_efficiency={k: v * reading for k, v in published.expert_efficiency.items()},
        cache_efficiency=published.cache_efficiency * reading,
        layer_s={k: v * launching for k, v in published.layer_s.items()},
    )
    measured = []
    for level in levels:
        row = {"concurrency": level, "prompt_tokens": 512, "output_tokens": 512}
        model, traffic = build_row_model(subject, row), build_row_traffic(row)
        speeds = [predict_speed(model, traffic, build_machine(), p) for p in (slower, published)]
        measured.append(
            build_measured(
                concurrency=level,
                measured_tok_s=speeds[0].per_request_tok_s,
                predicted_tok_s=speeds[1].per_request_tok_s,
                measured_ttft_ms=speeds[0].ttft_s * 1000,
                predicted_ttft_ms=speeds[1].ttft_s * 1000,
            )
        )
    return measured


def build_measured(**changes: object) -> MeasuredSpeed:
    fields: dict[str, object] = {
        **{"hardware": "gb10-128", "engine": "vllm", "build": "vllm/vllm-openai:v0.32.0"},
        **{"quantisation": "4bit-float", "model": MODEL, "nodes": 1, "tensor_parallel": 1},
        **{"pipeline_parallel": 1, "concurrency": 1, "input_tokens": 512, "output_tokens": 512},
        **{"measured_tok_s": 40.0, "predicted_tok_s": 50.0, "measured_ttft_ms": 200.0},
        **{"predicted_ttft_ms": 100.0, "measured_unix_s": 1000.0},
    }
    return MeasuredSpeed.model_validate(fields | changes)


@pytest.mark.parametrize(("reading", "launching"), [(0.7, 1.0), (0.85, 1.5), (1.15, 0.8)])
def test_the_error_of_a_known_rack_falls_below_five_percent(
    reading: float, launching: float
) -> None:
    measured = measure_synthetic(LEVELS, reading, launching)
    before = max(
        abs(measurement.measured_tok_s / measurement.predicted_tok_s - 1)
        for measurement in measured
    )
    fit = fit_class(measured)
    assert before > 0.05
    assert fit.leave_one_out is not None
    assert fit.leave_one_out < 0.05
    (between,) = measure_synthetic((12,), reading, launching)
    corrected = between.predicted_tok_s * fit.speed.correct(12).factor
    assert corrected == pytest.approx(between.measured_tok_s, rel=0.05)


def test_two_points_that_agree_keep_a_wide_range() -> None:
    fit = fit_class([build_measured(), build_measured(measured_unix_s=2000.0)])
    correction = fit.speed.correct(1)
    assert correction.factor == pytest.approx(0.8)
    assert correction.low < 0.8 * 0.75
    assert correction.high > 0.8 * 1.33


def test_the_range_narrows_with_each_point_and_holds_scattered_ones() -> None:
    widths = []
    for count in (1, 2, 4, 8, 30):
        correction = fit_class([build_measured()] * count).speed.correct(1)
        widths.append(correction.high / correction.low)
    assert widths == sorted(widths, reverse=True)
    scattered = [build_measured(measured_tok_s=50 * ratio) for ratio in (0.6, 0.8, 1.0, 1.2, 0.7)]
    correction = fit_class(scattered).speed.correct(1)
    assert correction.low < 0.6
    assert correction.high > 1.2


def test_classes_are_never_mixed_and_the_newest_build_answers_where_none_is_named() -> None:
    old = build_measured()
    new = build_measured(build="other:1", measured_tok_s=60.0, measured_unix_s=2000.0)
    fits = fit_classes([old, new])
    assert [fit.count for fit in fits.values()] == [1, 1]
    newest = find_fit(fits, "gb10-128", "vllm", "4bit-float", None)
    assert newest is not None
    assert newest.calibration_class.build == "other:1"
    named = find_fit(fits, "gb10-128", "vllm", "4bit-float", "vllm/vllm-openai:v0.32.0")
    assert named is not None
    assert named.speed.correct(1).factor == pytest.approx(0.8)
    assert find_fit(fits, "gb10-128", "vllm", "16bit", None) is None
    assert find_fit(fits, "gb10-128", "vllm", "4bit-float", "third:1") is None


def test_of_one_point_nothing_is_left_out() -> None:
    assert fit_class([build_measured()]).leave_one_out is None
