"""Ctrl-C and SIGKILL of the engine in the middle of a remote command."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.conformance.stack import CommandStack
from pulumi_offline_tests.conformance.waiting import wait_until
from pulumi_offline_tests.project import OFFICIAL_HOST
from tests.support.processes import create_mark, list_marked, list_remaining

OWN_END_LIMIT_S = 5.0


@pytest.fixture
def mark() -> Iterator[dict[str, str]]:
    mark = create_mark()
    yield mark
    for process in list_marked(mark):
        subprocess.run(["kill", "-KILL", str(process)])


def start_busy_engine(
    stack: CommandStack, server: SshServer, folder: Path, mark: dict[str, str]
) -> subprocess.Popen[bytes]:
    """An engine whose remote command is under way for some seconds."""
    create = f"touch {folder}/began; sleep 7; touch {folder}/ended; echo done"
    stack.steps = {"step": (server, {"create": create, "delete": "true"})}
    stack.write()
    engine = stack.project.start("up", "--yes", "--skip-preview", mark=mark)
    wait_until(folder / "began")
    return engine


def test_ctrl_c_waits_for_the_command_and_keeps_its_result(
    stack: CommandStack, server: SshServer, tmp_path: Path, mark: dict[str, str]
) -> None:
    engine = start_busy_engine(stack, server, tmp_path, mark)
    engine.send_signal(signal.SIGINT)
    assert engine.wait(timeout=20) != 0
    assert (tmp_path / "ended").exists()
    assert stack.list_resources()["step"]["outputs"]["stdout"] == "done"
    assert list_remaining(mark, OWN_END_LIMIT_S) == {}
    after = stack.run_up()
    assert "2 unchanged" in after, after
    stack.project.run_well("destroy", "--yes", "--skip-preview")


def test_after_a_kill_the_command_runs_on_and_our_processes_end(
    stack: CommandStack, server: SshServer, tmp_path: Path, mark: dict[str, str]
) -> None:
    engine = start_busy_engine(stack, server, tmp_path, mark)
    engine.kill()
    engine.wait()
    remaining = list_remaining(mark, OWN_END_LIMIT_S)
    assert not (tmp_path / "ended").exists()
    # The official plugin stays until its command ends; the stand-in goes at once.
    assert list_unexpected(remaining, "pulumi-resource-command") == [], remaining
    wait_until(tmp_path / "ended", timeout_s=10)
    remaining = list_remaining(mark, OWN_END_LIMIT_S)
    assert list_unexpected(remaining) == [], remaining


def list_unexpected(remaining: Mapping[int, str], *allowed: str) -> list[str]:
    """The commands that should have ended. The official language host lives on for 5 minutes."""
    host = ("pulumi-language-python ",) if OFFICIAL_HOST else ()
    return [
        command
        for command in remaining.values()
        if not any(name in f"{command} " for name in (*allowed, *host))
    ]


def test_after_a_kill_the_next_up_needs_a_cancel_and_then_works(
    stack: CommandStack, server: SshServer, tmp_path: Path, mark: dict[str, str]
) -> None:
    engine = start_busy_engine(stack, server, tmp_path, mark)
    engine.kill()
    engine.wait()
    wait_until(tmp_path / "ended", timeout_s=10)
    assert "locked" in stack.fail_up()
    stack.project.run_well("cancel", "--yes")
    assert stack.list_resources() == {}, "a create that was killed is not in the state"
    stack.project.run_well("refresh", "--yes", "--clear-pending-creates")
    assert "created" in stack.run_up()
    assert stack.list_resources()["step"]["outputs"]["stdout"] == "done"
