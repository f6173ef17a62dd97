"""Ctrl-C and SIGKILL of the engine in the middle of a remote command."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.conformance.stack import Stack
from pulumi_offline_tests.conformance.waiting import wait_until
from tests.support.processes import create_mark, list_marked, list_remaining

OWN_END_LIMIT_S = 5.0


@pytest.fixture
def mark() -> Iterator[dict[str, str]]:
    result = create_mark()
    yield result
    for process in list_marked(result):
        subprocess.run(["kill", "-KILL", str(process)])


def busy_engine(
    stack: Stack, server: SshServer, folder: Path, mark: dict[str, str]
) -> subprocess.Popen[bytes]:
    """An engine whose remote command is under way for some seconds."""
    create = f"touch {folder}/began; sleep 7; touch {folder}/ended; echo done"
    stack.steps = {"step": (server, {"create": create, "delete": "true"})}
    stack.write()
    engine = stack.project.start("up", "--yes", "--skip-preview", mark=mark)
    wait_until(folder / "began")
    return engine


def test_ctrl_c_waits_for_the_command_and_keeps_its_result(
    stack: Stack, server: SshServer, tmp_path: Path, mark: dict[str, str]
) -> None:
    engine = busy_engine(stack, server, tmp_path, mark)
    engine.send_signal(signal.SIGINT)
    assert engine.wait(timeout=20) != 0
    assert (tmp_path / "ended").exists()
    assert stack.resources()["step"]["outputs"]["stdout"] == "done"
    assert list_remaining(mark, OWN_END_LIMIT_S) == {}
    after = stack.up()
    assert "2 unchanged" in after, after
    stack.project.good("destroy", "--yes", "--skip-preview")


def test_after_a_kill_the_command_runs_on_and_our_processes_end(
    stack: Stack, server: SshServer, tmp_path: Path, mark: dict[str, str]
) -> None:
    engine = busy_engine(stack, server, tmp_path, mark)
    engine.kill()
    engine.wait()
    remaining = list_remaining(mark, OWN_END_LIMIT_S)
    assert not (tmp_path / "ended").exists()
    # The official plugin stays until its command ends; the stand-in goes at once.
    assert all("pulumi-resource-command" in command for command in remaining.values()), remaining
    wait_until(tmp_path / "ended", timeout_s=10)
    assert list_remaining(mark, OWN_END_LIMIT_S) == {}


def test_after_a_kill_the_next_up_needs_a_cancel_and_then_works(
    stack: Stack, server: SshServer, tmp_path: Path, mark: dict[str, str]
) -> None:
    engine = busy_engine(stack, server, tmp_path, mark)
    engine.kill()
    engine.wait()
    wait_until(tmp_path / "ended", timeout_s=10)
    assert "locked" in stack.failing_up()
    stack.project.good("cancel", "--yes")
    assert stack.resources() == {}, "a create that was killed is not in the state"
    stack.project.good("refresh", "--yes", "--clear-pending-creates")
    assert "created" in stack.up()
    assert stack.resources()["step"]["outputs"]["stdout"] == "done"
