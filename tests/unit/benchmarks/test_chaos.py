"""The chaos script's pure parts. Its checker finds a planted violation of each invariant, and
nothing in a round that went as it should."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.chaos import watcher
from benchmarks.chaos.checker import find_violations
from benchmarks.chaos.faults import BY_NAME, KINDS, DrawnFault, FaultName, draw_fault
from benchmarks.chaos.records import (
    Request,
    RoundRecord,
    SeenRun,
    append_record,
    read_records,
)
from benchmarks.chaos.service import build_view, list_planned_changes
from benchmarks.chaos.summary import compute_availability, render_summary
from node.host.typed_json import to_json
from node.supervision.moment import Moment
from node.supervision.state import MemberRecord, RecordedRun, SupervisionState
from tests.support.waiting import wait_until

BOUND_S = 60.0
HOSTS = ("spark-1", "spark-2")
ENGINE = Path("benchmarks/chaos/engine/usr/local/bin/vllm").resolve()
LIMIT_S = 60.0


def build_run(node: str, number: int, epoch: int | None, started: float, until: float) -> SeenRun:
    return SeenRun(node, f"{node}@{number}", "4be1-1", epoch, started, until)


def build_round(name: FaultName = "kill rank") -> RoundRecord:
    """A rank killed at 100; both run again from 112 on, and serve at 115."""
    first = (build_run("spark-1", 1, 1, 10, 108), build_run("spark-2", 1, 1, 10, 100))
    second = (build_run("spark-2", 2, 2, 110, 120), build_run("spark-1", 2, 2, 112, 120))
    is_quiet = BY_NAME[name].effect == "none"
    requests = [Request(100.0 + at, at >= 15 or is_quiet) for at in range(16)]
    return RoundRecord(
        number=0,
        fault=DrawnFault(name, "spark-2", 0.0),
        began=100.0,
        mended=100.5,
        recovering=None if is_quiet else 102.0,
        serving=115.0,
        before=tuple(run.run_id for run in first),
        after=tuple(run.run_id for run in (first if is_quiet else second)),
        runs=first if is_quiet else first + second,
        requests=tuple(requests),
    )


def list_invariants(record: RoundRecord) -> set[str]:
    return {violation.invariant for violation in find_violations(record, BOUND_S)}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_round_as_it_should_be_violates_nothing(kind) -> None:
    assert find_violations(build_round(kind.name), BOUND_S) == []


class TestPlantedRounds:
    def test_two_epochs_alive(self) -> None:
        record = build_round()
        late = replace(record.runs[0], alive_until=110.2)
        planted = replace(record, runs=(late, *record.runs[1:]))
        (violation,) = find_violations(planted, BOUND_S)
        assert violation.invariant == "never two epochs alive"
        assert "spark-1@1" in violation.detail
        assert "spark-2@2" in violation.detail

    def test_two_tokens_alive(self) -> None:
        record = build_round("killed up")
        old = replace(record.runs[0], token="3aa0-9", alive_until=111.0, epoch=None)
        planted = replace(record, runs=(old, *record.runs[1:]))
        assert list_invariants(planted) == {"never two epochs alive"}

    def test_a_harmless_fault_that_ends_a_rank(self) -> None:
        record = build_round("kill supervisor")
        planted = replace(record, after=record.after[:1])
        assert list_invariants(planted) == {"never a restart during load"}

    def test_a_group_that_restarts_twice(self) -> None:
        record = build_round()
        third = build_run("spark-1", 3, 2, 121, 130)
        planted = replace(record, runs=(*record.runs, third))
        assert list_invariants(planted) == {"never a restart during load"}

    @pytest.mark.parametrize("serving", [None, 100.5 + BOUND_S + 1])
    def test_a_service_that_is_late_or_never_comes(self, serving: float | None) -> None:
        planted = replace(build_round(), serving=serving)
        assert list_invariants(planted) == {"serving within the bound"}

    def test_something_alive_after_destroy(self) -> None:
        planted = replace(build_round("destroy"), leftovers=("spark-1: sparkform-tiny-0",))
        assert list_invariants(planted) == {"nothing alive after destroy"}

    def test_a_receipt_out_of_sync(self) -> None:
        planted = replace(build_round("up"), differences=("~ spark-1-ready",))
        assert list_invariants(planted) == {"receipts in sync"}


def test_what_follows_at_once_is_no_overlap_and_an_unrecorded_run_of_the_token_neither() -> None:
    record = build_round()
    close = replace(record.runs[0], alive_until=110.01)
    unrecorded = replace(record.runs[1], alive_until=111.0, epoch=None)
    planted = replace(record, runs=(close, unrecorded, *record.runs[2:]))
    assert find_violations(planted, BOUND_S) == []


def test_a_round_is_drawn_by_seed_and_number_alone() -> None:
    drawn = [draw_fault(7, number, HOSTS) for number in range(300)]
    assert drawn[123] == draw_fault(7, 123, HOSTS)
    assert drawn != [draw_fault(8, number, HOSTS) for number in range(300)]
    assert {fault.name for fault in drawn} == {kind.name for kind in KINDS}
    for fault in drawn:
        shortest_s, longest_s = BY_NAME[fault.name].lasts_s
        assert shortest_s <= fault.lasts_s <= longest_s
        assert (fault.node in HOSTS) != (fault.name in ("up", "killed up", "destroy"))


def test_a_log_is_read_again_without_its_torn_end(tmp_path: Path) -> None:
    log = tmp_path / "chaos.jsonl"
    assert read_records(log) == []
    records = [replace(build_round(), number=number) for number in range(3)]
    for record in records:
        append_record(log, record)
    log.write_bytes(log.read_bytes()[:-20])
    assert read_records(log) == records[:2]
    append_record(log, records[2])
    assert read_records(log) == records


def test_unanswered_time_is_that_up_to_each_request_that_failed() -> None:
    record = build_round()
    assert record.unanswered_s == pytest.approx(14.0)
    assert build_round("freeze").unanswered_s == 0
    assert replace(build_round("freeze"), requests=()).unanswered_s == 15.0


def test_availability_is_that_of_one_fault_a_minute() -> None:
    dead = replace(build_round(), requests=(Request(100.0 + 90, False),))
    assert compute_availability([]) is None
    assert compute_availability([build_round("destroy")]) is None
    assert compute_availability([build_round("freeze")]) == 1
    assert compute_availability([build_round()]) == pytest.approx(1 - 14 / 60)
    assert compute_availability([dead]) == 0
    assert compute_availability([dead, build_round("up")]) == 0.5


def test_the_summary_has_a_row_for_each_fault_that_was_drawn() -> None:
    text = render_summary([build_round(), build_round("destroy"), build_round()])
    assert "3 rounds; availability under one fault a minute: 76.7%" in text
    assert "| kill rank | 2 | 2.0 | 14.0 | 14.0 | 14.5 |" in text
    assert "| destroy | 1 |" in text
    assert "freeze" not in text


def test_a_node_shows_its_runs_and_the_epoch_of_the_recorded_one() -> None:
    labels = {"sparkform.service": "tiny", "sparkform.rank": "0", "sparkform.token": "4be1-1"}
    running = {
        "Status": "running",
        "Running": True,
        "StartedAt": "2025-11-21T08:00:02.5Z",
        "FinishedAt": "2025-11-21T08:00:01.5Z",
    }
    ended = {
        **running,
        "Status": "exited",
        "Running": False,
        "FinishedAt": "2025-11-21T08:00:09.5Z",
    }
    container = {
        "Id": "c1",
        "Name": "/sparkform-tiny-0",
        "Config": {"Labels": labels},
    }
    run = RecordedRun(3, "c1@1763712002.500000", Moment("b", 1.0))
    state = json.dumps(to_json(SupervisionState("4be1-1", MemberRecord(3, None, run))))
    view = build_view("spark-1", state, json.dumps([{**container, "State": running}]))
    assert view.live == ("c1@1763712002.500000",)
    assert [(entry.epoch, entry.started) for entry in view.runs] == [(3, 1763712002.5)]
    view = build_view("spark-1", "", json.dumps([{**container, "State": ended}]))
    assert (view.state, view.live, view.runs[0].epoch) == (None, (), None)
    assert view.runs[0].alive_until == 1763712009.5
    assert build_view("spark-1", "", "").runs == ()


def find_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class LoopbackEngine:
    """The engine's two ranks on loopback."""

    def __init__(self) -> None:
        self.port, master = find_port(), find_port()
        group = ["--nnodes", "2", "--master-addr", "127.0.0.1", "--master-port", str(master)]
        self.ranks = [
            self.start("--port", str(self.port), *group),
            self.start("--headless", *group),
        ]

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, str(ENGINE), "serve", "/srv/model", *options]
        return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers(self) -> bool:
        return watcher.ask(f"http://127.0.0.1:{self.port}")

    def close(self) -> None:
        for rank in self.ranks:
            rank.kill()
            rank.wait()


@pytest.fixture
def stand_in() -> Iterator[LoopbackEngine]:
    engine = LoopbackEngine()
    yield engine
    engine.close()


def test_the_stand_in_hangs_without_a_rank_and_waits_for_one_that_stands_still(
    stand_in: LoopbackEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until(stand_in.answers, "the stand-in does not answer", LIMIT_S)
    worker = stand_in.ranks[1]
    os.kill(worker.pid, signal.SIGSTOP)
    answers: list[bool] = []
    monkeypatch.setattr(watcher, "ASK_LIMIT_S", LIMIT_S)
    asking = threading.Thread(target=lambda: answers.append(stand_in.answers()))
    asking.start()
    asking.join(1.0)
    assert answers == []
    os.kill(worker.pid, signal.SIGCONT)
    asking.join()
    assert answers == [True]
    worker.kill()
    worker.wait()
    monkeypatch.setattr(watcher, "ASK_LIMIT_S", 1.0)
    assert not stand_in.answers()
    assert stand_in.ranks[0].poll() is None


def test_a_preview_that_changes_nothing_has_no_differences() -> None:
    same = {"op": "same", "urn": "urn:pulumi:a"}
    update = {"op": "update", "urn": "urn:pulumi:b"}
    assert list_planned_changes(json.dumps({"steps": [same]})) == ()
    assert list_planned_changes(json.dumps({"steps": [same, update]})) == ("update urn:pulumi:b",)
