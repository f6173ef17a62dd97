"""The published study's three findings, computed again from its own numbers, and our results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkform.bench.estimates import MeanEstimate
from sparkform.bench.result import BenchmarkResult
from sparkform.bench.study import (
    EnvironmentFigures,
    StudiedModel,
    analyse_model,
    list_findings,
)
from sparkform.bench.study_results import group_results
from sparkform.errors import InputError
from tests.support.bench_results import (
    build_identity,
    build_measurement,
    build_requests,
    build_result,
)

PUBLISHED = json.loads((Path(__file__).parents[2] / "data" / "bench" / "study.json").read_text())


def read_environment(figures: dict[str, float]) -> EnvironmentFigures:
    def estimate(mean: float, deviation: float | None) -> MeanEstimate:
        return MeanEstimate(mean=mean, deviation=deviation, count=PUBLISHED["runs"])

    return EnvironmentFigures(
        estimate(figures["tok_s"], PUBLISHED["deviation_tok_s"]),
        estimate(figures["memory_gib"], None),
        estimate(figures["cache_gib"], None),
    )


def read_models(**changes: float) -> list[StudiedModel]:
    """`changes` are added to the container's figures."""
    models = []
    for name, model in PUBLISHED["models"].items():
        container = {key: value + changes.get(key, 0) for key, value in model["container"].items()}
        models.append(
            StudiedModel(name, read_environment(model["native"]), read_environment(container))
        )
    return models


@pytest.mark.parametrize("name", PUBLISHED["models"])
def test_each_row_is_the_published_one(name: str) -> None:
    published: dict[str, Any] = PUBLISHED["models"][name]["published"]
    model = next(model for model in read_models() if model.model == name)
    row = analyse_model(model)
    assert row.memory_overhead_gib == pytest.approx(published["overhead_gib"], abs=0.011)
    assert row.memory_overhead_share is not None
    assert round(row.memory_overhead_share * 100) == published["overhead_percent"]
    assert row.cache_difference_gib == pytest.approx(published["cache_difference_gib"], abs=0.011)
    assert row.cache_ratio is not None
    assert round(row.cache_ratio, 1) == published["cache_ratio"]
    assert round(row.throughput_native_gain * 100, 1) == pytest.approx(
        published["throughput_percent"], abs=0.051
    )
    assert row.throughput_difference.is_noise


def test_the_three_findings_follow() -> None:
    memory, cache, throughput = list_findings(read_models())
    assert (memory.container, memory.winner) == ("+20 to +31 GiB", "native")
    assert cache.native.startswith("43 to 45 GiB (1.7 to 2.7 times")
    assert (cache.container, cache.winner) == ("17 to 27 GiB", "native")
    assert (throughput.native, throughput.winner) == ("119 to 120 tok/s", "identical")


def test_a_real_difference_would_have_a_winner() -> None:
    assert list_findings(read_models(tok_s=-5))[2].winner == "native"
    assert list_findings(read_models(tok_s=5))[2].winner == "container"
    assert list_findings(read_models(memory_gib=-40))[0].winner == "container"


def build_runtime(runtime: str, slowness: float = 1.0) -> BenchmarkResult:
    runs = [build_requests((slowness * factor,)) for factor in (1.0, 1.01, 0.99)]
    return build_result(build_measurement(*runs), identity=build_identity(runtime=runtime))


def test_results_are_grouped_by_model_and_environment() -> None:
    (studied,) = group_results([build_runtime("native"), build_runtime("swarm", 1.3)])
    assert studied.native.throughput_tok_s.count == 3
    assert studied.native.memory_peak_gib is not None
    assert studied.native.cache_gib is None
    findings = list_findings([studied])
    assert [finding.metric for finding in findings] == ["memory overhead", "throughput"]
    assert findings[1].winner == "native"


def test_a_missing_environment_is_named() -> None:
    with pytest.raises(InputError, match="Qwen/Qwen3-8B: has no result in native"):
        group_results([build_runtime("container")])
