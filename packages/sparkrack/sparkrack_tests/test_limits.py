"""The kernel's limit is raised for racks, and given back by the last one alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkrack import limits, paths


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Linux's own limit, and a runtime folder that is not there yet."""
    setting = tmp_path / "max_user_instances"
    setting.write_text("128\n")
    runtime = tmp_path / "rack"
    monkeypatch.setattr(limits, "SETTING", setting)
    monkeypatch.setattr(limits, "set_limit", lambda value: setting.write_text(f"{value}\n"))
    for module in (limits, paths):
        monkeypatch.setattr(module, "get_runtime_folder", lambda: runtime)
    return runtime


def test_a_limit_that_is_too_low_is_raised_and_given_back(machine: Path) -> None:
    limits.ensure()
    assert limits.read_limit() == limits.NEEDED
    limits.release()
    assert limits.read_limit() == 128
    assert list(machine.iterdir()) == []


def test_a_second_rack_does_not_forget_what_the_limit_was(machine: Path) -> None:
    limits.ensure()
    limits.ensure()
    limits.release()
    assert limits.read_limit() == 128


def test_the_limit_stays_while_a_rack_is_there(machine: Path) -> None:
    limits.ensure()
    (machine / "other").mkdir()
    limits.release()
    assert limits.read_limit() == limits.NEEDED
    (machine / "other").rmdir()
    limits.release()
    assert limits.read_limit() == 128


def test_a_limit_that_is_high_enough_is_left_alone(machine: Path) -> None:
    limits.set_limit(limits.NEEDED + 1)
    limits.ensure()
    limits.release()
    assert limits.read_limit() == limits.NEEDED + 1


def test_a_limit_that_somebody_else_set_since_is_left_alone(machine: Path) -> None:
    limits.ensure()
    limits.set_limit(512)
    limits.release()
    assert limits.read_limit() == 512
    assert not limits.get_before_file().exists()
