"""The verb `logs`: what engines printed, kept logs, and what is followed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from node.errors import StepError
from node.ranks import log_archive
from node.verbs import logs
from tests.support.fake_engine import FakeEngine
from tests.support.fake_spark import FakeSpark


@pytest.fixture
def engine(spark: FakeSpark, patience: list[float]) -> FakeEngine:
    spark.system.path("/var/log").mkdir()
    fake_engine = FakeEngine(spark).run_in_container()
    fake_engine.lines = [(-1, f"line {number}") for number in range(5)]
    return fake_engine


@pytest.fixture
def print_logs(engine: FakeEngine, capsys) -> Callable[..., list[str]]:
    def run(lines: int = 100, follow: bool = False) -> list[str]:
        request = {"services": ["qwen"], "lines": lines, "follow": follow}
        assert logs.main(engine.spark.system, [json.dumps(request)], "") == []
        return str(capsys.readouterr().out).splitlines()

    return run


def test_the_last_lines_are_shown_with_service_and_rank(print_logs) -> None:
    assert print_logs(lines=2) == ["qwen/0 | line 3", "qwen/0 | line 4"]


def test_no_past_lines_may_be_asked_for(print_logs) -> None:
    assert print_logs(lines=0) == []


def test_a_dead_engine_shows_how_it_ended(engine, print_logs) -> None:
    engine.death = (-1, 137)
    assert print_logs(lines=1) == ["qwen/0 | line 4", "qwen/0 | (ended: exit code 137 (SIGKILL))"]


def test_an_engine_that_is_about_to_start_has_not_ended(engine, print_logs, monkeypatch) -> None:
    """Docker makes a container first, with an exit code of 0, and starts it then."""
    engine.starts_s = 2
    monkeypatch.setattr(logs, "is_unread", lambda: engine.second > 4)
    assert print_logs(lines=1, follow=True)[1:] == ["qwen/0 | line 4"]


def test_an_engine_that_could_not_be_started_has_ended(engine, print_logs) -> None:
    engine.start_error = "no such runtime"
    assert print_logs(lines=1) == ["qwen/0 | line 4", "qwen/0 | (ended: exit code 127)"]


def test_following_shows_each_line_once_until_nobody_reads(engine, print_logs, monkeypatch) -> None:
    engine.lines += [(2, "later"), (9, "too late")]
    monkeypatch.setattr(logs, "is_unread", lambda: engine.second > 4)
    assert print_logs(lines=1, follow=True) == ["qwen/0 | line 4", "qwen/0 | later"]


def test_an_engine_that_comes_later_is_followed(engine, print_logs, monkeypatch) -> None:
    engine.removed = True

    def is_unread() -> bool:
        engine.removed = engine.second < 2
        return bool(engine.second > 4)

    monkeypatch.setattr(logs, "is_unread", is_unread)
    assert print_logs(lines=1, follow=True)[1:] == ["qwen/0 | line 4"]


def test_without_an_engine_the_newest_kept_log_speaks(engine, print_logs) -> None:
    engine.removed = True
    assert print_logs() == ["qwen | no engine is here, and no log was kept"]
    path = log_archive.write(engine.spark.system, "qwen", ["first", "second"])
    assert print_logs(lines=1) == [f"qwen | no engine is here; kept in {path}:", "qwen | second"]


def test_secrets_are_hidden(engine, print_logs) -> None:
    path = "/var/lib/sparkform/services/qwen/secrets/api_key"
    engine.spark.system.put(path, "open-sesame")
    engine.lines = [(-1, "key open-sesame")]
    assert print_logs() == ["qwen/0 | key (hidden)"]


def test_a_unit_has_its_journal(engine, print_logs) -> None:
    engine.run_in_unit()
    assert print_logs(lines=1) == ["qwen/0 | line 4"]


def test_a_damaged_request_is_refused(engine) -> None:
    with pytest.raises(StepError):
        logs.main(engine.spark.system, ["{}"], "")


def test_only_the_newest_logs_are_kept(engine, monkeypatch) -> None:
    system = engine.spark.system
    for second in range(log_archive.KEEP + 3):
        monkeypatch.setattr(time, "gmtime", lambda at=second: (2025, 1, 1, 0, 0, at, 0, 1, 0))
        log_archive.write(system, "qwen", ["x"])
    assert len(log_archive.list_logs(system, "qwen")) == log_archive.KEEP
    assert log_archive.list_logs(system, "qwen")[0] == "20250101T000003Z.log"
    log_archive.remove_all(system)
    assert system.get_state("/var/log/sparkform") is None
    assert Path(system.path("/var/log")).is_dir()
