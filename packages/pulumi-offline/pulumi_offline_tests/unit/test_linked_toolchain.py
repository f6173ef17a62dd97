"""A clone that links to another one's toolchain does not write its own paths into it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pulumi_offline import setup
from pulumi_offline.layout import Layout
from pulumi_offline.machine import Machine


def test_what_another_clone_has_made_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    def make(machine: Machine) -> str:
        made.append(machine.layout.root.name)
        return "made"

    step = replace(setup.STEPS[0], compute_key=lambda _: "key", is_ready=lambda _: False, make=make)
    monkeypatch.setattr(setup, "STEPS", (step,))
    for name in ("own", "linked"):
        (tmp_path / name).mkdir()
    (tmp_path / "own" / ".toolchain").mkdir()
    (tmp_path / "linked" / ".toolchain").symlink_to(tmp_path / "own" / ".toolchain")
    for name in ("own", "linked"):
        setup.set_up(Machine(Layout(tmp_path / name), {}, tmp_path))
    assert made == ["own"]
    assert capsys.readouterr().out.splitlines() == [
        "packages: made",
        f"toolchain: of {tmp_path / 'own'}, left as it is",
    ]
