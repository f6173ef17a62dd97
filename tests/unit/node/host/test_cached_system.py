"""Within one look the machine is asked each question once, and every reading gets its answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.host.cached_system import OneLook
from node.host.system import Answer, Result, System
from node.verbs.observe import observe, parse_request


@dataclass(frozen=True)
class Counted(System):
    """Notes every question; each is answered slowly enough for others to arrive meanwhile."""

    asked: list[str] = field(default_factory=list)
    pause: threading.Event = field(default_factory=threading.Event)

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        timeout_s: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        self.asked.append(" ".join(argv))
        self.pause.wait(0.05)
        return Result(0, str(len(self.asked)), "")

    def ask(
        self, socket_path: str, method: str, path: str, body: object = None, timeout_s: float = 10
    ) -> Answer:
        self.asked.append(f"{method} {path}")
        self.pause.wait(0.05)
        return Answer(200, {})


def test_readings_that_ask_the_same_at_once_share_one_answer() -> None:
    machine, answers = Counted(), []
    look = OneLook.at(machine)
    threads = [
        threading.Thread(target=lambda: answers.append(look.run(["df"]).out)) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["1"] * 5
    assert machine.asked == ["df"]


def test_another_question_is_another_one() -> None:
    machine = Counted()
    look = OneLook.at(machine)
    look.run(["df"])
    look.run(["df", "-P"])
    look.run(["df"], stdin="x")
    assert machine.asked == ["df", "df -P", "df"]


def test_what_is_not_a_plain_question_is_always_passed_on() -> None:
    machine = Counted()
    look = OneLook.at(machine)
    for _ in range(2):
        look.ask("/s", "POST", "/swarm/leave")
    assert machine.asked == ["POST /swarm/leave"] * 2


def test_a_refusal_is_not_kept_for_the_next_reading() -> None:
    @dataclass(frozen=True)
    class Refusing(Counted):
        def run(
            self,
            argv: Sequence[str],
            stdin: str = "",
            timeout_s: float = 10,
            environment: Mapping[str, str] | None = None,
        ) -> Result:
            self.asked.append(" ".join(argv))
            raise PermissionError

    machine = Refusing()
    look = OneLook.at(machine)
    for _ in range(2):
        with pytest.raises(PermissionError):
            look.run(["df"])
    assert machine.asked == ["df", "df"]


def test_observing_asks_no_question_twice(tmp_path: Path) -> None:
    machine = Counted(tmp_path)
    observe(machine, parse_request({}))
    assert "GET /info" in machine.asked
    assert sorted(machine.asked) == sorted(set(machine.asked))
