"""Within one look the machine is asked each question once, and every reading gets its answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.host.cached_system import CachedSystem
from node.host.system import CommandResult, HttpAnswer, System
from node.verbs.observe import observe, parse_request


@dataclass(frozen=True)
class CountingSystem(System):
    """Notes every question; each is answered slowly enough for others to arrive meanwhile."""

    requests: list[str] = field(default_factory=list)
    pause: threading.Event = field(default_factory=threading.Event)

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        timeout_s: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        self.requests.append(" ".join(argv))
        self.pause.wait(0.05)
        return CommandResult(0, str(len(self.requests)), "")

    def request(
        self, socket_path: str, method: str, path: str, body: object = None, timeout_s: float = 10
    ) -> HttpAnswer:
        self.requests.append(f"{method} {path}")
        self.pause.wait(0.05)
        return HttpAnswer(200, {})


def test_readings_that_ask_the_same_at_once_share_one_answer() -> None:
    machine, answers = CountingSystem(), []
    cached = CachedSystem.wrap(machine)
    threads = [
        threading.Thread(target=lambda: answers.append(cached.run(["df"]).out)) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["1"] * 5
    assert machine.requests == ["df"]


def test_another_question_is_another_one() -> None:
    machine = CountingSystem()
    cached = CachedSystem.wrap(machine)
    cached.run(["df"])
    cached.run(["df", "-P"])
    cached.run(["df"], stdin="x")
    assert machine.requests == ["df", "df -P", "df"]


def test_what_is_not_a_plain_question_is_always_passed_on() -> None:
    machine = CountingSystem()
    cached = CachedSystem.wrap(machine)
    for _ in range(2):
        cached.request("/s", "POST", "/swarm/leave")
    assert machine.requests == ["POST /swarm/leave"] * 2


def test_a_refusal_is_not_kept_for_the_next_reading() -> None:
    @dataclass(frozen=True)
    class Refusing(CountingSystem):
        def run(
            self,
            argv: Sequence[str],
            stdin: str = "",
            timeout_s: float = 10,
            environment: Mapping[str, str] | None = None,
        ) -> CommandResult:
            self.requests.append(" ".join(argv))
            raise PermissionError

    machine = Refusing()
    cached = CachedSystem.wrap(machine)
    for _ in range(2):
        with pytest.raises(PermissionError):
            cached.run(["df"])
    assert machine.requests == ["df", "df"]


def test_observing_asks_no_question_twice(tmp_path: Path) -> None:
    machine = CountingSystem(tmp_path)
    observe(machine, parse_request({}))
    assert "GET /info" in machine.requests
    assert sorted(machine.requests) == sorted(set(machine.requests))
