"""Bad input ends with one clear sentence and exit code 2, before anything is made."""

from __future__ import annotations

import os

import pytest
from typer.testing import CliRunner

from sparkrack import cli, daemon, lifecycle, prepare
from sparkrack.layout import Rack
from sparkrack.shape import Shape


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> list[Shape]:
    """The shapes that would have been made; no test here may reach the machine."""
    made: list[Shape] = []

    def up(name: str, shape: Shape, say: lifecycle.Say) -> Rack:
        made.append(shape)
        raise SystemExit(0)

    monkeypatch.setattr(lifecycle, "up", up)
    monkeypatch.setattr(daemon, "is_running", lambda: False)
    monkeypatch.setattr(prepare, "missing_packages", list)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return made


def answer(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, list(words))
    return result.exit_code, result.output


def test_good_words_reach_the_rack(untouched: list[Shape]) -> None:
    assert answer("up", "--fabric", "ring", "--renderer", "networkd")[0] == 0
    (shape,) = untouched
    assert (shape.nodes, shape.fabric, shape.renderer) == (3, "ring", "networkd")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["up", "--nodes", "3"], "--nodes: does not fit the fabric direct (got 3)"),
        (["up", "--name", "My Rack"], "--name: is not a rack's name (got My Rack)"),
        (["up", "--cabling", "spark-1:9"], "--cabling: is not a cable (got spark-1:9)"),
        (["up", "--rate", "1"], "--rate: is not a link rate (got 1)"),
        (["up", "--fabric", "star"], "'star' is not one of"),
        (["down", "--name", "X"], "--name: is not a rack's name"),
        (["stack", "--name", "gone"], "--name: is no rack that is up (got gone)"),
        (["ssh", "spark-1", "--name", "gone"], "is no rack that is up"),
        (["break", "off", "spark-1", "--name", "gone"], "is no rack that is up"),
        (["mend", "off", "spark-1", "--name", "gone"], "is no rack that is up"),
    ],
)
def test_bad_words_are_named(words: list[str], sentence: str, untouched: list[Shape]) -> None:
    code, output = answer(*words)
    assert code == 2
    assert sentence in output
    assert "Traceback" not in output
    assert untouched == []


def test_without_root_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, untouched: list[Shape]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert answer("up") == (
        2,
        "rack: needs root; because network namespaces and Docker need it; run it again with sudo\n",
    )
    assert untouched == []


def test_missing_packages_are_named(
    monkeypatch: pytest.MonkeyPatch, untouched: list[Shape]
) -> None:
    monkeypatch.setattr(prepare, "missing_packages", lambda: ["docker.io", "mmdebstrap"])
    code, output = answer("up")
    assert code == 2
    assert output == (
        "rack: needs the Debian packages docker.io, mmdebstrap; run `python -m sparkrack prepare`\n"
    )
    assert untouched == []


def test_the_status_of_nothing_is_said() -> None:
    assert answer("status") == (0, "no rack is up\n")
