"""`sparkform prove` with a fake run of Pulumi."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkform.commands.up_outcome import UpOutcome
from tests.unit.commands.conftest import Command
from tests.unit.commands.stacks import VLLM, write_stack

ANSWERS = "qwen rank 0: ready, http://10.0.0.1:8000 answers (9 s)"
HANGS = "service qwen: rank 0 on spark-1: its engine hangs [silence]"


@pytest.fixture
def stack(project: Path) -> Path:
    service = {**VLLM, "tensorParallel": 2, "model": "Qwen/Qwen3-32B"}
    return write_stack(project, services={"qwen": service})


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, pulumi: Path) -> list[dict[str, Any]]:
    """What Pulumi is given at each run; `passing` says how it ends."""
    recorded: list[dict[str, Any]] = []

    def up(
        folder: Path, root: object, name: str, file: Path, show: Callable[[str], None]
    ) -> UpOutcome:
        config = yaml.safe_load(file.read_text())["config"]
        assert file.stat().st_mode & 0o077 == 0 or file.parent.stat().st_mode & 0o077 == 0
        recorded.append({"stack": name, "services": config["sparkform:services"]})
        passes = len(recorded) != 2 or "fails" not in config
        show(ANSWERS if passes else HANGS)
        return UpOutcome(passes, (ANSWERS,) if passes else (HANGS, "  | last line"), 12.3)

    monkeypatch.setattr("sparkform.commands.stack_run.run_up", up)
    return recorded


def test_three_stages_are_run_and_told(sparkform: Command, stack: Path, runs) -> None:
    ran = sparkform("prove", stack, "--yes")
    assert ran.code == 0, ran.err
    models = [stage_run["services"]["qwen"]["model"] for stage_run in runs]
    assert models == ["Qwen/Qwen3-8B", "nvidia/Qwen3-8B-FP8", "Qwen/Qwen3-32B"]
    assert {stage_run["stack"] for stage_run in runs} == {"cli"}
    assert ran.out.count(f"pass: {ANSWERS}") == 3


def test_the_first_failure_ends_it(sparkform: Command, stack: Path, runs) -> None:
    stack.write_text(stack.read_text() + "  fails: true\n")
    ran = sparkform("prove", stack, "--yes")
    assert ran.code == 1
    assert len(runs) == 2
    assert f"fail: {HANGS}" in ran.out
    assert "not run: an earlier stage failed" in ran.out
    assert "`pulumi up` starts the declared services" in ran.out


def test_the_small_models_may_be_named(sparkform: Command, stack: Path, runs) -> None:
    sparkform("prove", stack, "--yes", "--plain", "tiny/llama", "--fp8", "tiny/llama-fp8")
    models = [stage_run["services"]["qwen"]["model"] for stage_run in runs]
    assert models[:2] == ["tiny/llama", "tiny/llama-fp8"]


def test_nothing_is_run_without_consent(sparkform: Command, stack: Path, runs) -> None:
    ran = sparkform("prove", stack)
    assert ran.code == 2
    assert "--yes" in ran.err
    assert runs == []


def test_a_stack_without_services_is_refused(sparkform: Command, project: Path, runs) -> None:
    ran = sparkform("prove", write_stack(project), "--yes")
    assert ran.code == 2
    assert "nothing to prove" in ran.err
    wrong = sparkform("prove", write_stack(project), "nothing", "--yes")
    assert wrong.code == 2
    assert runs == []
