"""What becomes of our processes when the engine is interrupted or killed."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from pulumi_offline_tests.project import PASSING_PACK, Project, only_our_language_host
from tests.support.processes import create_mark, list_marked, list_remaining

END_LIMIT_S = 5.0
START_LIMIT_S = 30.0

# It is busy with a child of its own when the engine goes away.
BUSY = """
    import pathlib, subprocess
    started = subprocess.Popen(["sleep", "600"])
    pathlib.Path("busy").touch()
    started.wait()
"""


@pytest.fixture
def mark() -> Iterator[dict[str, str]]:
    mark = create_mark()
    yield mark
    for process in list_marked(mark):
        subprocess.run(["kill", "-KILL", str(process)])


def start_busy_engine(project: Project, mark: dict[str, str]) -> subprocess.Popen[bytes]:
    """An engine in the middle of a preview, with program, its child and policy pack running."""
    project.write_program(BUSY)
    pack = project.write_policy_pack(PASSING_PACK)
    engine = project.start("preview", "--policy-pack", pack, mark=mark)
    deadline = time.monotonic() + START_LIMIT_S
    while not (project.folder / "busy").exists():
        assert time.monotonic() < deadline, (project.folder / "output").read_text()
        time.sleep(0.1)
    return engine


def test_a_planted_orphan_is_found(mark: dict[str, str]) -> None:
    subprocess.run(["sh", "-c", "setsid sleep 600 & "], env=mark | {"PATH": "/usr/bin:/bin"})
    assert [command.strip() for command in list_remaining(mark, 0.5).values()] == ["sleep 600"]


def test_a_process_of_another_run_is_not_taken_for_an_orphan(mark: dict[str, str]) -> None:
    subprocess.run(["sh", "-c", "setsid sleep 600 & "], env=mark | {"PATH": "/usr/bin:/bin"})
    assert list_remaining(create_mark(), 0.5) == {}


@only_our_language_host
def test_ctrl_c_ends_program_and_pack_quietly(project: Project, mark: dict[str, str]) -> None:
    engine = start_busy_engine(project, mark)
    running = " ".join(list_marked(mark).values())
    assert "pulumi-language-python-exec" in running
    assert "pulumi.policy" in running
    engine.send_signal(signal.SIGINT)
    assert list_remaining(mark, END_LIMIT_S) == {}
    assert engine.wait() != 0
    output = (project.folder / "output").read_text()
    assert "Traceback" not in output
    assert "KeyboardInterrupt" not in output


@only_our_language_host
def test_a_killed_engine_takes_program_and_pack_along(
    project: Project, mark: dict[str, str]
) -> None:
    engine = start_busy_engine(project, mark)
    engine.kill()
    engine.wait()
    assert list_remaining(mark, END_LIMIT_S) == {}


def test_a_run_after_a_killed_one_works(project: Project, mark: dict[str, str]) -> None:
    engine = start_busy_engine(project, mark)
    engine.kill()
    engine.wait()
    project.write_program("Thing('one')")
    assert "2 created" in project.run_well("up", "--yes", "--skip-preview")
