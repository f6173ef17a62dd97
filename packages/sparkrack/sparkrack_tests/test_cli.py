"""Bad input ends with one clear sentence and exit code 2, before anything is made."""

from __future__ import annotations

import os
import re

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from sparkrack import cli, daemon, lifecycle, prepare
from sparkrack.host import Notify
from sparkrack.layout import SimulatedRack
from sparkrack.shape import RackShape


@pytest.fixture(autouse=True)
def shapes(monkeypatch: pytest.MonkeyPatch) -> list[RackShape]:
    """The shapes that would have been made; no test here may reach the machine."""
    started: list[RackShape] = []

    def bring_up(name: str, shape: RackShape, notify: Notify) -> SimulatedRack:
        started.append(shape)
        raise SystemExit(0)

    monkeypatch.setattr(lifecycle, "bring_up", bring_up)
    monkeypatch.setattr(daemon, "is_running", lambda: False)
    monkeypatch.setattr(prepare, "find_missing_packages", list)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return started


def run_command(*argv: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, list(argv))
    return result.exit_code, result.output


def test_good_words_reach_the_rack(shapes: list[RackShape]) -> None:
    assert run_command("up", "--fabric", "ring", "--renderer", "networkd")[0] == 0
    (shape,) = shapes
    assert (shape.nodes, shape.fabric, shape.renderer) == (3, "ring", "networkd")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["up", "--nodes", "3"], "--nodes: does not fit the fabric direct (got 3)"),
        (["up", "--name", "My Rack"], "--name: invalid rack name (got My Rack)"),
        (["up", "--cabling", "spark-1:9"], "--cabling: invalid cable (got spark-1:9)"),
        (["up", "--rate", "1"], "--rate: invalid link rate (got 1)"),
        (["up", "--fabric", "star"], "'star' is not one of"),
        (["down", "--name", "X"], "--name: invalid rack name"),
        (["stack", "--name", "gone"], "--name: no such running rack (got gone)"),
        (["ssh", "spark-1", "--name", "gone"], "no such running rack"),
        (["break", "off", "spark-1", "--name", "gone"], "no such running rack"),
        (["mend", "off", "spark-1", "--name", "gone"], "no such running rack"),
    ],
)
def test_bad_words_are_named(argv: list[str], sentence: str, shapes: list[RackShape]) -> None:
    code, output = run_command(*argv)
    assert code == 2
    assert sentence in output
    assert "Traceback" not in output
    assert shapes == []


def test_without_root_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, shapes: list[RackShape]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run_command("up") == (
        2,
        "rack: needs root; because network namespaces and Docker need it; run again with sudo\n",
    )
    assert shapes == []


def test_missing_packages_are_named(
    monkeypatch: pytest.MonkeyPatch, shapes: list[RackShape]
) -> None:
    monkeypatch.setattr(prepare, "find_missing_packages", lambda: ["docker.io", "mmdebstrap"])
    code, output = run_command("up")
    assert code == 2
    assert output == (
        "rack: needs the Debian packages docker.io, mmdebstrap; run `python -m sparkrack prepare`\n"
    )
    assert shapes == []


def test_the_status_of_nothing_is_said() -> None:
    assert run_command("status") == (0, "no rack is running\n")


SENTENCE = re.compile(r"[A-Z].*[.]", re.DOTALL)


def list_help_texts() -> list[str]:
    """The first paragraph of each command's help, and the help of each option and argument."""
    group = typer.main.get_command(cli.app)
    assert isinstance(group, TyperGroup)
    commands = group.commands.values()
    paragraphs = [str(command.help).partition("\n\n")[0] for command in commands]
    parameters = [parameter for command in commands for parameter in command.params]
    return [*paragraphs, *(help for p in parameters if (help := getattr(p, "help", None)))]


def test_every_help_text_is_a_sentence() -> None:
    texts = list_help_texts()
    assert len(texts) > len(cli.app.registered_commands), "options have no help"
    assert [text for text in texts if not SENTENCE.fullmatch(text)] == []
