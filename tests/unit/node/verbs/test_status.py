"""The verb `status`: one document at once, or one after the other, whatever hangs or fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from node.errors import StepError
from node.host.system import System
from node.ranks.rank import NodeRanks
from node.readings.measure import Unread
from node.verbs import status
from node.verbs.status import NodeDocument, parse_document
from tests.support.status_documents import build_rank, build_report, build_telemetry

RANKS = NodeRanks((build_rank(0),))
REPORTS = {"qwen": build_report(0)}
TELEMETRY = build_telemetry()
Run = Callable[..., list[NodeDocument]]


@pytest.fixture
def run(monkeypatch, capsys) -> Run:
    """Runs the verb with readers that answer as given."""

    def run_verb(request: dict[str, object] | None = None, **readers: Any) -> list[NodeDocument]:
        answers = {
            "find_local_ranks": lambda system: RANKS,
            "read_reports": lambda system: REPORTS,
            "read_telemetry": lambda system, disks, budget_s: TELEMETRY,
            **readers,
        }
        for name, reader in answers.items():
            monkeypatch.setattr(status, name, reader)
        words = [] if request is None else [json.dumps(request)]
        assert status.main(System(), words, "") == []
        return [parse_document(line) for line in capsys.readouterr().out.splitlines()]

    return run_verb


def test_one_document_has_all_parts(run: Run) -> None:
    (document,) = run()
    assert document.ranks == RANKS
    assert document.supervision == REPORTS
    assert document.telemetry == TELEMETRY


def test_a_part_that_hangs_is_unread_and_the_others_are_there(run: Run) -> None:
    hanging = threading.Event()
    (document,) = run({"budget_s": 0.2}, read_telemetry=lambda *arguments: hanging.wait(30))
    hanging.set()
    assert document.telemetry == Unread("no answer in time")
    assert document.ranks == RANKS


def test_a_part_that_fails_is_unread_with_its_reason(run: Run) -> None:
    def fail(system: System) -> NodeRanks:
        raise StepError("Docker does not answer")

    def break_down(system: System) -> dict[str, object]:
        raise KeyError("a defect of ours")

    (document,) = run(find_local_ranks=fail, read_reports=break_down)
    assert document.ranks == Unread("Docker does not answer")
    assert document.supervision == Unread("failed with KeyError")
    assert document.telemetry == TELEMETRY


def test_documents_follow_each_other_until_nobody_reads(run: Run, monkeypatch) -> None:
    left = iter([False, False, True])
    monkeypatch.setattr(status, "is_unread", lambda: next(left))
    documents = run({"interval_s": 0.01})
    assert [document.ranks for document in documents] == [RANKS] * 3


def test_a_part_that_hangs_later_is_no_longer_known(run: Run, monkeypatch) -> None:
    hanging, calls = threading.Event(), []

    def read_once(system: System) -> NodeRanks:
        calls.append(1)
        if len(calls) > 1:
            hanging.wait(30)
        return RANKS

    left = iter([False] * 4 + [True])
    monkeypatch.setattr(status, "is_unread", lambda: next(left))
    monkeypatch.setattr(status, "STALE_S", 0.1)
    documents = run({"interval_s": 0.06}, find_local_ranks=read_once)
    hanging.set()
    assert documents[0].ranks == RANKS
    assert documents[-1].ranks == Unread("no answer in time")


def test_the_model_directory_is_measured_where_it_lies(run: Run) -> None:
    directories = []

    def read(system: System, disks: dict[str, str], budget_s: float) -> object:
        directories.append(disks["models"])
        return TELEMETRY

    run({"model_directory": "/srv/models"}, read_telemetry=read)
    assert directories == ["/srv/models"]


@pytest.mark.parametrize("words", ["{", "[]", '{"interval_s": "often"}'])
def test_a_bad_request_is_refused_in_a_sentence(words: str) -> None:
    with pytest.raises(StepError, match="`status` needs a request in JSON"):
        status.main(System(), [words], "")
