"""What a rack measured is kept for this user alone, shown apart, shared without names, removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkform.bench.calibrating import list_measured
from sparkform.bench.result import BenchmarkResult
from sparkform.commands.calibration_file import get_calibration_file
from tests.support.bench_results import (
    build_identity,
    build_measurement,
    build_requests,
    build_result,
    write_result,
)
from tests.support.recorded import FOLDER
from tests.unit.commands.conftest import Command

MODEL = "Qwen/Qwen3-8B"


@pytest.fixture(autouse=True)
def home(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return project / "home"


def build_named(**changes: str) -> BenchmarkResult:
    return build_result(
        build_measurement(build_requests((1.0,)), build_requests((1.1,))),
        identity=build_identity(**changes),
    )


@pytest.fixture
def result(project: Path) -> Path:
    return write_result(project / "measured", build_named())


def test_what_was_added_is_predicted_with_apart_from_the_published_figures(
    sparkform: Command, result: Path
) -> None:
    before = json.loads(sparkform("predict", MODEL, "--json").out)
    assert "calibrated" not in before
    added = sparkform("calibration", "--add", result, "--json")
    (report,) = json.loads(added.out)
    assert (report["measurements"], report["build"]) == (2, "vllm/vllm-openai:v0.32.0")
    after = json.loads(sparkform("predict", MODEL, "--json").out)
    calibrated = after.pop("calibrated")
    assert after == before
    assert calibrated["measurements"] == 2
    low, high = calibrated["range"]
    assert low < calibrated["decodeTokS"] < high
    text = sparkform("predict", MODEL).out
    assert "on this rack, by 2 measurements of vllm/vllm-openai:v0.32.0" in text


def test_plan_and_recommend_say_it_beside_what_is_published(
    sparkform: Command, result: Path, stack: Callable[..., Path]
) -> None:
    service: dict[str, object] = {
        "engine": "vllm",
        "runtime": "container",
        "model": MODEL,
        "port": 8000,
        "nodes": ["spark-1"],
    }
    file = stack([22, 23], qwen={**service, "image": "vllm/vllm-openai:v0.32.0"})
    arguments: tuple[object, ...] = ("plan", file, "--facts", FOLDER / "direct-untouched.json")
    before = sparkform(*arguments).out, sparkform("recommend", MODEL).out
    assert "on this rack" not in "".join(before)
    sparkform("calibration", "--add", result)
    clause = "by 2 measurements of vllm/vllm-openai:v0.32.0"
    assert clause in sparkform(*arguments).out
    assert "because on this rack" in sparkform("recommend", MODEL).out
    older = stack([22, 23], qwen={**service, "image": "vllm/vllm-openai:v0.31.0"})
    assert "on this rack" not in sparkform("plan", older, *arguments[2:]).out


def test_another_build_or_quantisation_is_not_mixed_in(sparkform: Command, result: Path) -> None:
    sparkform("calibration", "--add", result)
    for arguments in (["--image", "vllm/vllm-openai:v0.33.0"], ["--quant", "nvfp4"]):
        document = json.loads(sparkform("predict", MODEL, *arguments, "--json").out)
        assert "calibrated" not in document


def test_the_same_result_counts_once(sparkform: Command, result: Path) -> None:
    sparkform("calibration", "--add", result)
    (report,) = json.loads(sparkform("calibration", "--add", result, "--json").out)
    assert report["measurements"] == 2


def test_it_is_removed_by_build_or_whole(sparkform: Command, result: Path) -> None:
    sparkform("calibration", "--add", result)
    unknown = sparkform("calibration", "--remove", "other:1")
    assert (unknown.code, "--remove: is not known" in unknown.err) == (2, True)
    sparkform("calibration", "--remove", "vllm/vllm-openai:v0.32.0")
    assert "nothing was measured yet" in sparkform("calibration").out


def test_a_damaged_file_is_named_and_can_be_removed(sparkform: Command, home: Path) -> None:
    file = get_calibration_file()
    file.parent.mkdir(parents=True)
    file.write_text("[{}]")
    run = sparkform("predict", MODEL)
    assert run.code == 2
    assert f"{file}: cannot be read" in run.err
    assert sparkform("calibration", "--remove", "all").code == 0
    assert sparkform("predict", MODEL).code == 0


def test_what_is_shared_names_nobody_and_can_be_added(sparkform: Command, project: Path) -> None:
    local = write_result(project / "own", build_named(model="/home/ada/model"))
    shared = project / "shared.json"
    sparkform("calibration", "--add", local, "--share", shared)
    text = shared.read_text()
    for word in ("ada", "spark-1", "qwen", "3" * 64, "2" * 40):
        assert word not in text
    sparkform("calibration", "--remove", "all")
    (report,) = json.loads(sparkform("calibration", "--add", shared, "--json").out)
    assert report["measurements"] == 2


@pytest.mark.parametrize("mark", ["even-so", "interrupted", "stand-in"])
def test_a_marked_result_teaches_nothing(sparkform: Command, project: Path, mark: str) -> None:
    marked = build_named().model_copy(update={"marks": (mark,)})
    assert list_measured(marked) == ()
    run = sparkform("calibration", "--add", write_result(project / "marked", marked))
    assert run.code == 2
    assert "holds nothing to learn from" in run.err
