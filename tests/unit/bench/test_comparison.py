"""Two results side by side: what is noise, what is not, and what cannot be compared."""

from __future__ import annotations

import pytest

from sparkform.bench.comparison import Comparison, compare_results, parse_share
from sparkform.bench.result import BenchmarkResult
from sparkform.errors import InputError
from tests.support.bench_results import (
    LOAD,
    build_identity,
    build_measurement,
    build_requests,
    build_result,
)

NAMES = ("a", "b")


def build_with(slowness: float, **changes: object) -> BenchmarkResult:
    waves = [slowness * factor for factor in (1.0, 1.02, 0.98, 1.01, 0.99)]
    return build_result(build_measurement(build_requests(waves)), **changes)


def get_verdicts(comparison: Comparison) -> dict[str, str]:
    return {row.metric: row.verdict for row in comparison.rows}


def test_a_small_difference_is_within_the_noise() -> None:
    comparison = compare_results(build_with(1.0), build_with(1.005), NAMES)
    assert set(get_verdicts(comparison).values()) == {"within the noise"}
    assert not comparison.is_slower_by(0.0)


def test_a_large_difference_is_worse_one_way_and_better_the_other() -> None:
    slower = compare_results(build_with(1.0), build_with(1.2), NAMES)
    assert set(get_verdicts(slower).values()) == {"worse"}
    assert slower.is_slower_by(0.05)
    assert not slower.is_slower_by(0.5)
    faster = compare_results(build_with(1.2), build_with(1.0), NAMES)
    assert set(get_verdicts(faster).values()) == {"better"}
    assert not faster.is_slower_by(0.05)


def test_of_a_single_wave_the_spread_is_said_to_be_unknown() -> None:
    result = build_result(build_measurement(build_requests((1.0,))))
    comparison = compare_results(result, build_with(1.2), NAMES)
    assert get_verdicts(comparison)["output tok/s"] == "spread unknown"
    assert comparison.is_slower_by(0.05)


def test_several_runs_are_compared_by_their_own_spread() -> None:
    runs = [build_requests((slowness,)) for slowness in (1.0, 1.3, 0.8)]
    noisy = build_result(build_measurement(*runs))
    comparison = compare_results(noisy, build_result(build_measurement(*runs[:2])), NAMES)
    row = comparison.rows[0]
    assert row.first == pytest.approx(sum(22 / slowness for slowness in (1.0, 1.3, 0.8)) / 3)
    assert row.verdict == "within the noise"
    assert comparison.remarks == ()


def test_one_run_is_said_to_hide_how_runs_differ() -> None:
    comparison = compare_results(build_with(1.0), build_with(1.0), NAMES)
    assert "how runs differ is not in it" in comparison.remarks[0]


def test_what_else_differs_is_named_and_marks_are_repeated() -> None:
    changed = build_with(
        1.0, identity=build_identity(image="vllm/vllm-openai:v0.33.0"), marks=("trial",)
    )
    comparison = compare_results(build_with(1.0), changed, NAMES)
    assert comparison.differs_in == (
        "image: vllm/vllm-openai:v0.32.0 and vllm/vllm-openai:v0.33.0",
    )
    assert comparison.remarks[-1] == "b is marked trial."


def test_other_loads_cannot_be_compared() -> None:
    changed = build_measurement(load=LOAD.model_copy(update={"concurrency": 4}))
    with pytest.raises(InputError, match=r"b: has no load in common with a.*quick 128/11 at 4"):
        compare_results(build_with(1.0), build_result(changed), NAMES)


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0", 0.0), ("2.5%", 0.025)])
def test_a_share_is_read(text: str, share: float) -> None:
    assert parse_share("--fail-if-slower", text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "100%", "-1%", "five", "nan"])
def test_no_share_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no share"):
        parse_share("--fail-if-slower", text)
