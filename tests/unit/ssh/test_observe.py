"""One look at nodes over real SSH on loopback: one exec each, every failure as its own error."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import socket
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from sparkform.report.rack_report import QueryResult
from sparkform.ssh import observe, session
from sparkform.ssh.observe import observe_all
from sparkform.ssh.target import Target
from tests.unit.ssh import samples
from tests.unit.ssh.ssh_node import (
    USER,
    Process,
    answer,
    drop_connection,
    format_public_key,
    generate_key,
    hang,
    open_port,
    run_here,
    run_server,
)

SHORT_S = 0.3
# Long enough to log in on a busy machine, for what happens after that.
LOGIN_S = 1.5
SOUND = answer(samples.print_document())


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scenario)


async def query_one(target: Target, limit_s: float = 5.0) -> QueryResult:
    return (await observe_all([target], limit_s)).nodes[target.name]


def test_a_node_is_asked_once_and_its_document_comes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            result = await query_one(node.build_target(tmp_path))
            assert (node.connections, len(node.commands)) == (1, 1)
            assert result.report is not None
            assert result.report.receipts == samples.build_document()["receipts"]
            assert result.host_key == format_public_key(generate_key())

    run(scenario())


LATE = [{"what": "fact gpu", "why": "no answer in 0.9 s", "late": True}]


@pytest.mark.parametrize(
    ("answers", "unread"),
    [
        ([samples.print_document(unreadable=LATE), samples.print_document(unreadable=[])], []),
        ([samples.print_document(unreadable=LATE)] * 2, ["fact gpu"]),
        ([samples.print_document(unreadable=LATE), b"no document"], ["fact gpu"]),
    ],
)
def test_what_came_late_is_looked_at_once_more_with_a_longer_limit(
    answers: list[bytes], unread: list[str], tmp_path: Path
) -> None:
    remaining = iter(answers)

    async def answer_next(process: Process) -> None:
        await answer(next(remaining))(process)

    async def scenario() -> None:
        async with run_server(answer_next) as node:
            result = await query_one(node.build_target(tmp_path), 8.0)
            budgets = [json.loads(shlex.split(text)[-1])["budget_s"] for text in node.commands]
            assert budgets == [4.8, 12.0]
            assert result.report is not None
            assert [item.what for item in result.report.unreadable] == unread

    run(scenario())


def test_the_facts_program_that_is_sent_really_runs_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(run_here) as node:
            result = await query_one(node.build_target(tmp_path, user=USER), limit_s=8.0)
            assert result.error is None
            assert result.report is not None
            assert result.report.facts.host is not None
            assert result.report.facts.host.hostname == socket.gethostname()
            assert result.clock_skew_s is not None
            assert abs(result.clock_skew_s) < 5

    run(scenario())


def test_a_thread_of_its_own_serves_callers_that_are_inside_an_event_loop(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            target = node.build_target(tmp_path)
            observation = await asyncio.to_thread(observe.observe, [target])
            assert observation.nodes["spark-1"].error is None

    run(scenario())


def test_root_needs_no_sudo_and_others_call_it_without_a_prompt() -> None:
    from sparkform.ssh.session import build_observe_request, build_program_command

    target = Target(name="a", host="h", user="root")
    request = build_observe_request(target, 8.0)
    assert "sudo" not in build_program_command(target, request)
    assert "sudo -n -- python3" in build_program_command(replace(target, user=USER), request)
    locked = replace(target, passphrase="secret words")
    assert "secret words" not in build_program_command(locked, build_observe_request(locked, 8.0))


ANSWERS = {
    "sudo": (b"", b"sudo: a password is required\n", 1),
    "sudo (not a sudoer)": (b"", b"nvidia is not in the sudoers file.\nsudo: x may not run", 1),
    "sudo (sudo-rs)": (b"", b"sudo-rs: interactive authentication is required\n", 1),
    "sudo (terminal)": (b"", b"sudo: sorry, you must have a tty to run sudo\n", 1),
    "sudo (not listed)": (b"", b"ada is not in the sudoers file.\n", 1),
    "sudo (expired)": (b"", b"sudo: Account or password is expired, reset it and try again\n", 1),
    "sudo (other command)": (
        b"",
        b"Sorry, user ada is not allowed to execute '/bin/x' as root\n",
        1,
    ),
    "sudo (none installed)": (b"", "env: ‘sudo’: No such file or directory\n".encode(), 127),
    "failed (host name)": (b"", b"sudo: unable to resolve host x\nTraceback", 1),
    "python_missing": (b"", b"sudo: python3: command not found\n", 1),
    "python_missing (root)": (b"", "env: ‘python3’: No such file or directory\n".encode(), 127),
    "failed": (b"", b"Traceback\nAttributeError: module 'os' has no attribute\n", 1),
    "failed (silent)": (b"", b"", 1),
    "damaged": (b"Welcome to your Spark!\n", b"", 0),
    "damaged (nothing)": (b"", b"", 0),
    "damaged (cut short)": (samples.print_document()[:200], b"", 0),
    "damaged (types)": (samples.print_document(version="1"), b"", 0),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_document_has_its_own_error(name: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        out, err, exit_status = ANSWERS[name]
        async with run_server(answer(out, err, exit_status)) as node:
            result = await query_one(node.build_target(tmp_path))
            assert result.error is not None
            assert result.error.kind == name.split()[0]
            assert "`" in result.error.remedy

    run(scenario())


def test_words_that_a_login_script_prints_before_the_document_do_no_harm(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(answer(b"Welcome!\n\n" + samples.print_document())) as node:
            assert (await query_one(node.build_target(tmp_path))).error is None

    run(scenario())


def get_error_kind(result: QueryResult) -> str:
    assert result.error is not None
    return result.error.kind


def test_a_command_that_never_ends_is_a_time_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(hang) as node:
            assert (
                get_error_kind(await query_one(node.build_target(tmp_path), LOGIN_S)) == "timeout"
            )

    run(scenario())


def test_a_connection_lost_during_the_command_is_dropped(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(drop_connection) as node:
            assert get_error_kind(await query_one(node.build_target(tmp_path))) == "dropped"

    run(scenario())


@pytest.mark.parametrize(("closes", "expected"), [(False, "frozen"), (True, "dropped")])
def test_a_port_that_is_silent_or_closes_is_told_apart(
    closes: bool, expected: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_port(closes) as port, run_server(SOUND) as node:
            result = await query_one(node.build_target(tmp_path, port=port), SHORT_S)
            assert get_error_kind(result) == expected

    run(scenario())


def test_silence_is_reported_before_the_limit_and_cuts_nothing_else_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with open_port(closes=False) as port, run_server(hang) as node:
            with monkeypatch.context() as patch:
                patch.setattr(session, "GREETING_LIMIT_S", SHORT_S)
                silent = await query_one(node.build_target(tmp_path, port=port), 30)
            assert get_error_kind(silent) == "frozen"
            assert silent.duration_s < 15
            assert f"sends nothing for {SHORT_S:g} s" in str(silent.error and silent.error.what)
            slow = await query_one(node.build_target(tmp_path), LOGIN_S)
            assert get_error_kind(slow) == "timeout"
            assert slow.duration_s >= LOGIN_S

    run(scenario())


@contextlib.contextmanager
def fill_backlog() -> Any:
    """A port whose queue is full: the kernel drops further connection requests, as a dead host."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(listener.getsockname())
        yield listener.getsockname()[1]


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_host_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            with fill_backlog() as port:
                result = await query_one(node.build_target(tmp_path, port=port), SHORT_S)
                assert get_error_kind(result) == "unreachable"

    run(scenario())


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (OSError(113, "No route to host"), "unreachable"),
        (socket.gaierror(-2, "Name or service not known"), "unresolved"),
        (asyncssh.KeyExchangeFailed("No matching cipher found"), "failed"),
        (asyncssh.DisconnectError(2, "Too many authentication failures"), "authentication"),
        (RuntimeError("a defect of ours"), "failed"),
    ],
    ids=["route", "name", "cipher", "tries", "defect"],
)
def test_what_the_network_says_is_translated(
    failure: Exception, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(*_: object, **__: object) -> None:
        raise failure

    async def scenario() -> None:
        async with run_server(SOUND) as node:
            monkeypatch.setattr(asyncssh, "connect", connect)
            assert get_error_kind(await query_one(node.build_target(tmp_path))) == expected

    run(scenario())


def test_all_nodes_errors_stand_in_one_report_within_the_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            run_server(SOUND) as sound,
            run_server(hang) as slow,
            open_port(closes=False) as silent,
        ):
            base = sound.build_target(tmp_path)
            targets = [
                base,
                replace(base, name="slow", port=slow.port),
                replace(base, name="silent", port=silent),
                replace(base, name="off", port=find_free_port()),
                replace(base, name="stranger", host_key=format_public_key(generate_key(number=7))),
            ]
            started = time.monotonic()
            observation = await observe_all(targets, LOGIN_S)
            assert time.monotonic() - started < 10
            assert set(observation.reports) == {"spark-1"}
            assert {name: error.kind for name, error in observation.errors.items()} == {
                "slow": "timeout",
                "silent": "frozen",
                "off": "refused",
                "stranger": "changed_host_key",
            }

    run(scenario())
