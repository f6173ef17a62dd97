"""One `up` through the Automation API, with real Pulumi and a program that says what it gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pulumi_offline_tests.project import ROOT, Project
from sparkform.commands.stack_run import run_up
from sparkform.commands.up_outcome import UpOutcome

RunStage = Callable[..., tuple[UpOutcome, list[str]]]

PROGRAM = """
    services = pulumi.Config("sparkform").require_object("services")
    pulumi.log.info(f"qwen rank 0: ready, {', '.join(services)} answers")
    if "bad" in services:
        raise pulumi.RunError("service qwen: it hangs [silence]\\nseen: nothing")
"""


@pytest.fixture
def run_stage(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunStage:
    """An `up` with a configuration file that stands elsewhere."""
    project.write_program(PROGRAM)
    for name in ("HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.setenv(name, project.environment[name])

    def run_services(services: str, stack: str = "dev") -> tuple[UpOutcome, list[str]]:
        file, printed = tmp_path / "stage.yaml", list[str]()
        file.write_text(f"config:\n  sparkform:services: {{{services}: 1}}\n")
        return run_up(project.folder, ROOT / ".toolchain", stack, file, printed.append), printed

    return run_services


def test_the_stage_s_own_configuration_is_used_and_its_lines_are_shown(run_stage: RunStage) -> None:
    outcome, printed = run_stage("good")
    assert outcome.passed
    assert outcome.lines == ("qwen rank 0: ready, good answers",)
    assert printed == list(outcome.lines)


def test_a_failure_is_an_outcome_with_the_programs_words(run_stage: RunStage) -> None:
    outcome, _ = run_stage("bad")
    assert not outcome.passed
    assert outcome.has_begun
    assert outcome.lines[:2] == ("service qwen: it hangs [silence]", "seen: nothing")


def test_a_missing_stack_is_told_in_pulumis_words(run_stage: RunStage) -> None:
    outcome, _ = run_stage("good", "nowhere")
    assert not outcome.passed
    assert not outcome.has_begun
    assert "no stack named 'nowhere' found" in " ".join(outcome.lines)
