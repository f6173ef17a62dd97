"""Two replicas of one model under load: how it is shared, and what clients meet when one dies."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.gateway.conftest import CHAT
from tests.support.gateway_process import (
    KEYS,
    Answer,
    GatewayProcess,
    await_servers,
    build_route,
    build_setup,
    find_free_port,
    run_gateway,
)
from tests.support.openai_engine import serve_engine
from tests.support.waiting import wait_until

AT_ONCE = 64
EVEN = range(29, 36)
"""Within 10 % of half of them."""

STREAMS, WORKERS = 8, 16
ROOT = Path(__file__).parents[2]
ANSWERED, CUT = b"data: [DONE]\n\n", b'"code":"stream_cut"'


def ask_at_once(gateway: GatewayProcess, wait_s: float) -> Counter[str]:
    """Answers by the engine that gave them."""
    answers: list[Answer] = []

    def ask() -> None:
        answers.append(gateway.chat(CHAT, script={"wait_s": wait_s}))

    run_all([threading.Thread(target=ask) for _ in range(AT_ONCE)])
    assert [answer.status for answer in answers] == [200] * AT_ONCE
    return Counter(str(answer.load()["system_fingerprint"]) for answer in answers)


def run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def run_engine(name: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """In a process of its own, so that it can be killed."""
    command = [sys.executable, "-m", "tests.support.openai_engine", name, str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=30)


@dataclass
class ReplicaLoad:
    """Clients that ask again and again, and streams that last, until it is told to end."""

    gateway: GatewayProcess
    answers: list[Answer] = field(default_factory=list)
    streams: list[Answer] = field(default_factory=list)
    is_over: bool = False

    def start(self) -> list[threading.Thread]:
        asking = [threading.Thread(target=self._ask) for _ in range(WORKERS)]
        streaming = [threading.Thread(target=self._stream) for _ in range(STREAMS)]
        for thread in (*asking, *streaming):
            thread.start()
        return [*asking, *streaming]

    def _ask(self) -> None:
        while not self.is_over:
            self.answers.append(self.gateway.chat(CHAT, KEYS["bob"], script={"wait_s": 0.3}))

    def _stream(self) -> None:
        script = {"events": 150, "pause_s": 0.1}
        self.streams.append(self.gateway.chat(CHAT, stream=True, script=script))


def test_requests_at_once_are_shared_evenly(folder: Path) -> None:
    with serve_engine("first") as first, serve_engine("second") as second:
        setup = build_setup([build_route("qwen", CHAT, first.port, second.port)])
        with run_gateway(folder, setup) as gateway:
            await_servers(gateway, 2)
            counts = ask_at_once(gateway, wait_s=3)
            assert all(count in EVEN for count in counts.values()), counts
            assert set(counts) == {"first", "second"}


def test_a_busy_replica_gets_less(folder: Path) -> None:
    """Least outstanding, not in turn: long answers of one send what comes to the other."""
    with serve_engine("first") as first, serve_engine("second") as second:
        setup = build_setup([build_route("qwen", CHAT, first.port, second.port)])
        with run_gateway(folder, setup) as gateway:
            await_servers(gateway, 2)
            slow = [
                threading.Thread(target=gateway.chat, args=(CHAT,), kwargs={"script": script})
                for script in [{"wait_s": 10}, {"wait_s": 10}]
            ]
            for thread in slow:
                thread.start()
            wait_until(lambda: first.open_now == second.open_now == 1, "both are not under way", 20)
            held = threading.Thread(
                target=gateway.chat, args=(CHAT,), kwargs={"script": {"wait_s": 10}}
            )
            held.start()
            wait_until(lambda: first.open_now + second.open_now == 3, "three are not", 20)
            idler = "first" if first.open_now == 1 else "second"
            answers = [gateway.chat(CHAT).load()["system_fingerprint"] for _ in range(8)]
            assert set(answers) == {idler}
            for thread in (*slow, held):
                thread.join()


def test_a_replica_that_is_killed_costs_the_streams_on_it_and_no_other_request(
    folder: Path,
) -> None:
    port = find_free_port()
    with serve_engine("first") as first, run_engine("second", port) as second:
        setup = build_setup([build_route("qwen", CHAT, first.port, port)])
        with run_gateway(folder, setup) as gateway:
            await_servers(gateway, 2, 60)
            load = ReplicaLoad(gateway)
            threads = load.start()
            wait_until(lambda: len(load.answers) > WORKERS, "nothing is answered", 60)
            second.kill()
            killed_at = len(load.answers)
            await_servers(gateway, 1, 60)
            wait_until(
                lambda: len(load.answers) > killed_at + 2 * WORKERS, "nothing is answered", 60
            )
            load.is_over = True
            for thread in threads:
                thread.join()
            assert {answer.status for answer in load.answers} == {200}
            names = Counter(str(answer.load()["system_fingerprint"]) for answer in load.answers)
            assert set(names) == {"first", "second"}
            assert_streams_end_well(load.streams)
            with run_engine("second", port):
                await_servers(gateway, 2, 60)
                counts = ask_at_once(gateway, wait_s=3)
                assert all(count in EVEN for count in counts.values()), counts
                assert set(counts) == {"first", "second"}


def assert_streams_end_well(streams: list[Answer]) -> None:
    """Whole on the one that lives, with an error event of OpenAI's form on the other."""
    assert {answer.status for answer in streams} == {200}
    assert not any(answer.problem for answer in streams)
    ends = Counter(
        "answered"
        if answer.body.endswith(ANSWERED)
        else "cut"
        if CUT in answer.body.rpartition(b"data: ")[2]
        else "lost"
        for answer in streams
    )
    assert set(ends) == {"answered", "cut"}, ends
    assert ends.total() == STREAMS
