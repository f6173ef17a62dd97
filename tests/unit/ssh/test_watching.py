"""Documents of all nodes: once, or for ever, whatever becomes of a node meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from node.verbs.status import parse_document
from sparkform.report.rack_report import NodeError
from sparkform.ssh import watching
from sparkform.ssh.target import VerbRequest
from tests.unit.ssh.ssh_node import Process, answer, hang, run_here, run_server, serve_node

REQUEST = VerbRequest("status", {"interval_s": None})
WATCH = VerbRequest("status", {"interval_s": 1.0})


def test_a_node_answers_and_another_says_why_not(tmp_path: Path) -> None:
    with serve_node(answer(b"motd\n{}\n")) as first, serve_node(answer(exit_status=3)) as second:
        targets = [
            first.build_target(tmp_path, name="spark-1"),
            second.build_target(tmp_path, name="spark-2"),
        ]
        requests = dict.fromkeys(("spark-1", "spark-2"), REQUEST)
        answers = watching.query_documents(requests, targets)
    assert answers["spark-1"] == "{}"
    error = answers["spark-2"]
    assert isinstance(error, NodeError)
    assert "exit 3" in error.what


def test_a_node_that_hangs_is_given_up(tmp_path: Path) -> None:
    with serve_node(hang) as node:
        target = node.build_target(tmp_path)
        answers = watching.query_documents({"spark-1": REQUEST}, [target], limit_s=4.0)
    error = answers["spark-1"]
    assert isinstance(error, NodeError)
    assert error.kind == "timeout"


def test_the_shipped_program_prints_a_document_on_this_machine(tmp_path: Path) -> None:
    """Without Docker, systemd and GPU: each is said to be unread, none of them absent."""
    with serve_node(run_here) as node:
        target = node.build_target(tmp_path)
        answers = watching.query_documents({"spark-1": REQUEST}, [target], limit_s=300.0)
    text = answers["spark-1"]
    assert isinstance(text, str)
    assert parse_document(text).unix_time_s > 0


async def watch(program, tmp_path: Path, count: int) -> list[str | NodeError]:
    """The first answers of one node that is watched."""
    answers: list[str | NodeError] = []
    enough = asyncio.Event()

    def show(node: str, shown: str | NodeError) -> None:
        answers.append(shown)
        if len(answers) >= count:
            enough.set()

    async with run_server(program) as node:
        target = node.build_target(tmp_path)
        watcher = asyncio.create_task(watching.watch_nodes({"spark-1": WATCH}, [target], show))
        async with asyncio.timeout(20):
            await enough.wait()
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
    return answers


def test_a_node_that_is_lost_is_contacted_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_S", 0.05)
    lives = iter([b"first\n", b"second\n"])

    async def live_shortly(process: Process) -> None:
        await process.stdin.read()
        process.stdout.write(next(lives, b""))
        process.exit(0)

    first, lost, second, *_ = asyncio.run(watch(live_shortly, tmp_path, 3))
    assert (first, second) == ("first", "second")
    assert isinstance(lost, NodeError)
    assert lost.kind == "dropped"


def test_a_node_that_falls_silent_is_contacted_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_S", 0.05)
    monkeypatch.setattr(watching, "SILENCE_S", 0.5)

    async def fall_silent(process: Process) -> None:
        await process.stdin.read()
        process.stdout.write(b"alive\n")
        await asyncio.sleep(30)

    first, lost, second = asyncio.run(watch(fall_silent, tmp_path, 3))
    assert (first, second) == ("alive", "alive")
    assert isinstance(lost, NodeError)
    assert "no answer for 0.5 s" in lost.what


def test_a_node_that_is_off_is_said_to_be_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_S", 0.05)
    shown: list[str | NodeError] = []

    async def scenario() -> None:
        async with run_server(hang) as node:
            target = node.build_target(tmp_path)
        watcher = asyncio.create_task(
            watching.watch_nodes(
                {"spark-1": WATCH}, [target], lambda name, answer: shown.append(answer)
            )
        )
        while len(shown) < 2:
            await asyncio.sleep(0.02)
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)

    asyncio.run(scenario())
    assert {error.kind for error in shown if isinstance(error, NodeError)} == {"refused"}
