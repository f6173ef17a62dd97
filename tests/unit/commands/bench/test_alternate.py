"""`sparkform bench alternate` over a rack that is none: the turns, the study, what is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkform.bench.matrix import MatrixRecord
from tests.support.matrix_hands import FakeMatrixRack, install_rack, press_ctrl_c
from tests.unit.commands.conftest import Command, CommandRun
from tests.unit.commands.stacks import VLLM, write_stack

MODELS = ("Qwen/Qwen3-8B", "openai/gpt-oss-20b")
TEMPLATE = {**VLLM, "gpuMemoryUtilization": 0.8, "nodes": ["spark-1"]}


@pytest.fixture
def rack(monkeypatch: pytest.MonkeyPatch) -> FakeMatrixRack:
    return install_rack(monkeypatch)


@pytest.fixture
def alternate(sparkform: Command, project: Path, rack: FakeMatrixRack) -> Callable[..., CommandRun]:
    file = write_stack(project, services={"qwen": TEMPLATE})

    def run(*arguments: object) -> CommandRun:
        named = ("--models", ",".join(MODELS), "--runs", 2, "--out", "out")
        return sparkform("bench", "alternate", file, *named, *arguments)

    return run


def list_runtimes(rack: FakeMatrixRack) -> list[tuple[str, str]]:
    return [(services["qwen"]["model"], services["qwen"]["runtime"]) for services in rack.ups]


def test_each_model_is_native_and_in_a_container_in_turns(
    alternate: Callable[..., CommandRun], rack: FakeMatrixRack
) -> None:
    run = alternate("--yes")
    assert run.code == 0, run.err
    turns = [(model, runtime) for model in MODELS for runtime in ("native", "container") * 2]
    assert list_runtimes(rack)[:-1] == turns
    assert rack.ups[-1]["qwen"] == TEMPLATE
    native, container = rack.ups[0]["qwen"], rack.ups[1]["qwen"]
    assert "image" not in native
    assert container["image"] == VLLM["image"]
    assert {key: native[key] for key in ("maxBatchSize", "maxSeqLen", "nodes")} == {
        key: container[key] for key in ("maxBatchSize", "maxSeqLen", "nodes")
    }
    assert {request.loads[0].prompts for request in rack.requests} == {50}
    assert {request.cool_to_c for request in rack.requests} == {45.0}


def test_the_study_has_the_tables_of_bench_study_in_three_forms(
    alternate: Callable[..., CommandRun], project: Path
) -> None:
    run = alternate("--yes")
    assert "findings" in run.out
    document = json.loads((project / "out" / "study.json").read_text())
    assert [model["model"] for model in document["models"]] == list(MODELS)
    assert document["findings"][-1]["metric"] == "throughput"
    text = (project / "out" / "study.md").read_text()
    assert text.startswith("# 2 models native and in container, quick 128/128 at 2\n")
    assert "| metric | native | container | winner |\n| --- | --- | --- | --- |" in text
    assert re.search(r"\| Qwen/Qwen3-8B \| output tok/s \| \d+\.\d+ \| \d+\.\d+ \|", text)
    page = (project / "out" / "study.html").read_text()
    assert page.count('class="bar"') == 8, "memory and throughput: the cache was not measured"
    assert re.findall(r'(?:src|href)="', page) == []
    assert run.out.count("the study: out/study.html") == 1


def test_a_model_that_fails_in_one_environment_is_not_compared(
    alternate: Callable[..., CommandRun],
    rack: FakeMatrixRack,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rack.failing = {MODELS[0]}
    run = alternate("--yes")
    assert run.code == 1
    assert MODELS[0] not in (project / "out" / "study.md").read_text()
    assert MODELS[1] in (project / "out" / "study.md").read_text()
    rack.failing = set(MODELS)
    second = alternate("--yes", "--out", "other")
    assert "No model was measured in both environments" in second.out
    assert not (project / "other" / "study.md").exists()


def test_an_ended_study_goes_on_in_its_turn(
    alternate: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    def interrupt(model: str) -> None:
        if len(rack.measured) == 2:
            press_ctrl_c()

    rack.on_bench = interrupt
    assert alternate("--yes").code == 3
    rack.on_bench = lambda model: None
    assert alternate("--yes").code == 0
    record = MatrixRecord.model_validate_json((project / "out" / "matrix.json").read_text())
    assert [cell.state for cell in record.cells] == ["measured"] * 8
    assert len(rack.measured) == 8, "nothing is measured twice"
    assert [(cell.round, cell.runtime) for cell in record.cells[:4]] == [
        *((1, "native"), (1, "container"), (2, "native"), (2, "container")),
    ]


def test_the_preset_names_the_three_models_of_the_published_study(
    sparkform: Command, project: Path, rack: FakeMatrixRack
) -> None:
    file = write_stack(project, services={"qwen": {**TEMPLATE, "nodes": ["spark-1", "spark-2"]}})
    run = sparkform("bench", "alternate", file, "--dry-run")
    assert run.code == 0, run.err
    assert "60 to measure" in run.out
    published = json.loads(
        (Path(__file__).parents[3] / "data" / "bench" / "study.json").read_text()
    )
    from sparkform.bench.presets import PRESETS

    models = PRESETS["container-native"].models
    assert len(models) == len(published["models"]) == 3
    for short, handle in zip(published["models"], models, strict=True):
        size = re.findall(r"\d+B", short.upper())[-1]
        assert size in handle.upper()


def test_what_one_environment_cannot_serve_is_left_out_of_both(
    sparkform: Command, project: Path, rack: FakeMatrixRack
) -> None:
    """An image too old for the model: the native engine has nothing to be held against."""
    file = write_stack(
        project,
        services={"qwen": {**TEMPLATE, "image": "vllm/vllm-openai:v0.9.0", "model": MODELS[1]}},
    )
    run = sparkform("bench", "alternate", file, "--models", MODELS[1], "--dry-run")
    assert run.code == 0, run.err
    assert "0 to measure, 2 left out" in run.out
    assert "has nothing to be held against: in container" in " ".join(run.out.split())
    assert rack.ups == []
