"""`sparkform doctor --fix`: asked about first, done on that node alone."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from node.errors import StepError
from node.host.system import CommandResult
from node.verbs import set_ntp
from sparkform.commands.doctor.fixing import mend
from sparkform.config import load_stack
from sparkform.doctor.remedies import Remedy
from sparkform.plan.targets import list_targets
from tests.support.fake_system import FakeSystem
from tests.support.recorded import FOLDER
from tests.unit.commands.conftest import Command, refuse_request
from tests.unit.commands.stacks import write_stack
from tests.unit.commands.test_init import Terminal
from tests.unit.ssh.ssh_node import Process, serve_node

CLOCK = Remedy("spark-2", "sudo timedatectl set-ntp true", "set_ntp")


async def accept(process: Process) -> None:
    await process.stdin.read()
    process.stdout.write(b"clock: kept\n")
    process.exit(0)


def run_mend(file: Path, monkeypatch: pytest.MonkeyPatch, typed: str) -> bool:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    return mend([CLOCK], list_targets(load_stack(file)), lambda: None)


def test_a_command_that_is_agreed_to_runs_on_its_node_alone(
    stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_node(accept) as first, serve_node(accept) as second:
        assert run_mend(stack([first.port, second.port]), monkeypatch, "y\n") is False
    assert first.commands == []
    assert "set_ntp" in shlex.split(second.commands[0])
    output = capsys.readouterr().out
    assert "spark-2: run `sudo timedatectl set-ntp true`?" in output
    assert "spark-2 clock: kept" in output


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_nothing_runs_without_a_yes(stack, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    with serve_node(accept) as first, serve_node(accept) as second:
        assert run_mend(stack([first.port, second.port]), monkeypatch, typed) is False
        assert (first.commands, second.commands) == ([], [])


def test_a_command_that_fails_is_told(stack, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_node(accept) as first, serve_node(refuse_request) as second:
        assert run_mend(stack([first.port, second.port]), monkeypatch, "y\n") is True


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--facts", FOLDER / "direct-untouched.json"], "got --facts"),
        (["--json"], "got --json"),
        ([], "stdin is not a terminal"),
    ],
)
def test_it_asks_a_person_about_nodes_that_are_there(
    sparkform: Command, project: Path, options: list[object], complaint: str
) -> None:
    ran = sparkform("doctor", write_stack(project), "--fix", *options)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("--fix: ")
    assert complaint in ran.err


@pytest.mark.parametrize(("code", "lines"), [(0, 1), (1, None)])
def test_the_node_runs_what_a_person_would_type(
    tmp_path: Path, code: int, lines: int | None
) -> None:
    system = FakeSystem(tmp_path)
    result = CommandResult(code, "", "NTP not supported")
    system.script.commands[("timedatectl", "set-ntp", "true")] = lambda argv, stdin: result
    if lines is None:
        with pytest.raises(StepError, match="NTP not supported"):
            set_ntp.main(system, [], "")
    else:
        assert len(set_ntp.main(system, [], "")) == lines
