"""What setup says when it cannot go on: one sentence, exit code 2, nothing half-made."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import namedtuple
from pathlib import Path

import pytest

from pulumi_offline.setup import set_up
from pulumi_offline_tests.clone import SETUP, Clone
from sparkform.errors import InputError

Usage = namedtuple("Usage", "total used free")
GIB = 1024**3


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.create(tmp_path / "copy")


def read_refusal(result: subprocess.CompletedProcess[str]) -> str:
    """The sentence of a refused setup, after checking that it is a refusal and no traceback."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def list_half_made(clone: Clone) -> list[str]:
    """What lies in the places where setup builds, except finished steps."""
    places = [clone.layout.toolchain, clone.cache]
    return sorted(
        str(path.relative_to(clone.folder))
        for place in places
        if place.exists()
        for path in place.iterdir()
        if path.name not in ("stamps", "home")
    )


def test_half_made_things_are_found(clone: Clone) -> None:
    (clone.cache / ".making-x").mkdir(parents=True)
    assert list_half_made(clone) == ["cache/sparkform/.making-x"]


def test_without_go_and_pulumi(clone: Clone) -> None:
    output = read_refusal(clone.setup())
    assert output.startswith("go: not on PATH, and building pulumi requires it; install Go 1.25.11")
    assert len(output.splitlines()) == 1
    assert list_half_made(clone) == []


def test_with_a_go_that_is_too_old(clone: Clone) -> None:
    clone.plant("go", "echo go version go1.19.8 linux/amd64")
    assert "go: too old to build pulumi (got 1.19.8)" in read_refusal(clone.setup())
    assert list_half_made(clone) == []


def test_with_a_build_that_fails(clone: Clone) -> None:
    clone.plant(
        "go",
        '[ "$1" = version ] && echo go version go1.26.0 linux/amd64 && exit 0\n'
        'shift; while [ "$1" != -o ]; do shift; done; echo half > "$2"\n'
        "echo module lookup disabled; exit 1",
    )
    output = read_refusal(clone.setup())
    assert "go build" in output
    assert "module lookup disabled" in output
    assert list_half_made(clone) == []


def test_with_too_little_disk(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.plant("go", "echo go version go1.26.0 linux/amd64")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9 * GIB, 8 * GIB, GIB))
    with pytest.raises(InputError) as caught:
        set_up(clone.machine)
    assert "not enough free space (got 1.0 GiB); allowed: 5 GiB or more" in str(caught.value)
    assert list_half_made(clone) == []


def test_all_problems_are_told_at_once(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9 * GIB, 8 * GIB, GIB))
    with pytest.raises(InputError) as caught:
        set_up(clone.machine)
    assert [problem.path for problem in caught.value.problems] == ["go", str(clone.cache)]


def test_with_a_packages_index_out_of_reach(clone: Clone) -> None:
    (clone.root / ".venv").unlink()
    result = subprocess.run(
        list(SETUP),
        cwd=clone.root,
        env={**clone.environment, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CACHE_DIR": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "exited with code 1" in read_refusal(result)
    assert not (clone.root / ".venv").exists()
    assert list_half_made(clone) == []


def test_a_virtual_environment_that_does_not_fit_stays_when_no_new_one_can_be_made(
    clone: Clone,
) -> None:
    (clone.root / ".venv").unlink()
    (clone.root / ".venv" / "mine").mkdir(parents=True)
    result = subprocess.run(
        list(SETUP),
        cwd=clone.root,
        env={**clone.environment, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CACHE_DIR": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    read_refusal(result)
    assert (clone.root / ".venv" / "mine").is_dir()


def drop_override() -> list[str]:
    """A prefix under which file modes hold for root too; root may write anywhere otherwise."""
    if os.geteuid() != 0:
        return []
    return ["/usr/bin/setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


def test_in_a_read_only_folder(clone: Clone) -> None:
    clone.root.chmod(0o555)
    try:
        output = read_refusal(clone.setup(*drop_override()))
    finally:
        clone.root.chmod(0o755)
    assert "Permission denied" in output
    assert str(clone.layout.toolchain) in output
    assert "make its folder writable" in output
    assert not clone.layout.toolchain.exists()


def test_with_a_passphrase_lost_for_existing_stacks(clone: Clone) -> None:
    clone.plant_official()
    stacks = clone.layout.state / ".pulumi" / "stacks" / "rack"
    stacks.mkdir(parents=True)
    (stacks / "two-sparks.json").write_text("{}")
    output = read_refusal(clone.setup())
    assert (
        "passphrase: missing, and existing stacks are encrypted with it (got two-sparks)" in output
    )
    assert not clone.layout.passphrase.exists()


def test_an_interrupted_build_leaves_nothing_half_made(clone: Clone) -> None:
    clone.plant(
        "go",
        '[ "$1" = version ] && echo go version go1.26.0 linux/amd64 && exit 0\n'
        f"touch {clone.folder}/building; exec sleep 600",
    )
    process = subprocess.Popen(
        list(SETUP),
        cwd=clone.root,
        env=clone.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    deadline = time.monotonic() + 20
    while not (clone.folder / "building").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    output = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert output == "interrupted; run the command again to continue\n"
    assert list_half_made(clone) == []
