"""The parts of the fit that decide; the least squares themselves are scipy's."""

from __future__ import annotations

import math

import pytest

from benchmarks.fit_throughput import (
    AMOUNTS,
    GROUPS,
    NAMES,
    SHARES,
    JudgedRow,
    build_parameters,
    choose_tail,
    compute_coverage,
    compute_errors,
    compute_logit,
    compute_residuals,
    compute_spread,
    compute_spreads,
    get_starting_point,
    list_judged,
)
from benchmarks.speed_rows import load_rows

ROWS = load_rows()


def test_the_starting_point_is_that_of_the_priors() -> None:
    parameters = build_parameters(get_starting_point())
    assert parameters.dense_efficiency["16bit"] == pytest.approx(SHARES["dense 16bit"][0])
    assert parameters.step_s == pytest.approx(AMOUNTS["step_s"][0])
    assert parameters.engine_expert_factor["vllm"] == 1.0


def test_shares_stay_shares_however_far_the_fit_runs() -> None:
    far = build_parameters([30.0] * len(SHARES) + [-30.0] * len(AMOUNTS))
    assert all(0 < share <= 1 for share in far.dense_efficiency.values())
    assert far.step_s > 0


def test_residuals_are_logarithms_weighed_by_the_size_of_the_family() -> None:
    row = next(row for row in ROWS if row.source["id"] == "S065")
    point = get_starting_point()
    single = compute_residuals(point, [row])
    twice = compute_residuals(point, [row, row])
    expected = math.log(row.predict(build_parameters(point)) / row.measured)
    assert single[0] == pytest.approx(expected)
    assert twice[0] == pytest.approx(expected / math.sqrt(2))


def test_priors_pull_only_what_has_moved() -> None:
    pulls = compute_residuals(get_starting_point(), [])
    assert pulls[: len(NAMES)] == [0.0] * len(NAMES)
    moved = get_starting_point()
    moved[0] += 1.0
    assert compute_residuals(moved, [])[0] > 0
    assert len(pulls) == len(NAMES) + sum(len(group) for group in GROUPS)


def test_a_perfect_prediction_has_no_error_and_a_planted_one_has() -> None:
    perfect = {row.source["id"]: row.measured for row in ROWS}
    assert compute_errors(ROWS, perfect)["median"] == 0
    doubled = {name: 2 * value for name, value in perfect.items()}
    assert compute_errors(ROWS, doubled) == {
        "rows": len(ROWS),
        "median": 1.0,
        "within_35_percent": 0.0,
    }


def judge(ratios: list[float], models: int = 99) -> list[JudgedRow]:
    return [
        JudgedRow("dense 16bit", f"model {index % models}", ratio)
        for index, ratio in enumerate(ratios)
    ]


def test_a_spread_holds_eight_of_ten_and_the_prediction_itself() -> None:
    spread = compute_spread(judge([0.5, *([0.9] * 4), *([1.1] * 4), 2.0]), 0.1)
    assert (spread.low, spread.high, spread.rows) == (0.9, 1.1, 10)
    assert compute_spread(judge([1.2, 1.3, 1.4]), 0.1).low == 1.0


def test_a_model_of_many_rows_weighs_as_one() -> None:
    many = [JudgedRow("dense 16bit", "one", 3.0)] * 50
    assert compute_spread([*many, *judge([0.8] * 20)], 0.1).high == 1.0


def test_a_class_of_few_models_gets_no_spread_of_its_own() -> None:
    judged = list_judged(ROWS, {row.id: row.measured for row in ROWS})
    class_spreads = compute_spreads(judged, 0.1)
    assert "mixture 16bit" not in class_spreads
    assert {"all", "dense 16bit"} <= set(class_spreads)
    assert set(compute_spreads(judge([1.0] * 30, models=3), 0.1)) == {"all"}


def test_the_tail_narrows_until_the_range_holds_what_it_says() -> None:
    """Of ten models one lies outside the range of the others whatever its tails are."""
    judged = judge([0.5, *([1.0] * 8), 2.0])
    assert compute_coverage(judged, 0.0) == pytest.approx(0.8)
    assert choose_tail(judged) == 0.1
    wide = judge([0.5 + index / 10 for index in range(10)])
    assert compute_coverage(wide, choose_tail(wide)) >= 0.8


def test_logits_are_the_inverse_of_shares() -> None:
    assert 1 / (1 + math.exp(-compute_logit(0.3))) == pytest.approx(0.3)
