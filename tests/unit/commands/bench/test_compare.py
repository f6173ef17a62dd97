"""`sparkform bench compare` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkform.bench.result import BenchmarkResult
from tests.support.bench_results import (
    build_measurement,
    build_requests,
    build_result,
    write_result,
)
from tests.unit.commands.conftest import Command


def build_slow(slowness: float) -> BenchmarkResult:
    waves = [slowness * factor for factor in (1.0, 1.01, 0.99, 1.0)]
    return build_result(build_measurement(build_requests(waves)))


@pytest.fixture
def results(project: Path) -> dict[str, Path]:
    pairs = {"first": 1.0, "same": 1.001, "slow": 1.2}
    return {name: write_result(project / name, build_slow(slow)) for name, slow in pairs.items()}


def test_noise_is_said_plainly(sparkform: Command, results: dict[str, Path]) -> None:
    run = sparkform("bench", "compare", results["first"], results["same"], "--fail-if-slower", "5%")
    assert run.code == 0
    assert "within the noise" in run.out
    assert "worse" not in run.out


def test_a_slower_result_fails_where_that_is_asked_for(
    sparkform: Command, results: dict[str, Path]
) -> None:
    arguments = ("bench", "compare", results["first"], results["same"], results["slow"])
    assert sparkform(*arguments, "--fail-if-slower", "5%").code == 1
    assert sparkform(*arguments, "--fail-if-slower", "50%").code == 0
    run = sparkform(*arguments)
    assert run.code == 0
    assert "-16.7%" in run.out
    assert "worse" in run.out


def test_what_is_no_result_is_named(sparkform: Command, results: dict[str, Path]) -> None:
    assert "needs two results or more" in sparkform("bench", "compare", results["first"]).err
    missing = sparkform("bench", "compare", results["first"], "nowhere")
    assert (missing.code, "nowhere: cannot be read (No such file" in missing.err) == (2, True)
    (results["same"] / "result.json").write_text('{"form": 2}')
    damaged = sparkform("bench", "compare", results["first"], results["same"])
    assert damaged.code == 2
    assert "is no result of `sparkform bench`: form:" in damaged.err
