"""Rounds of the chaos script on nodes that a test moves: what breaks an invariant there comes
through the watcher, the record and the checker."""

from __future__ import annotations

import http.server
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.chaos import injection, rounds, service, watcher
from benchmarks.chaos.checker import find_violations
from benchmarks.chaos.faults import DrawnFault, FaultName, draw_fault
from benchmarks.chaos.records import RoundRecord, SeenRun, append_record, read_records
from benchmarks.chaos.rounds import Chaos, require_draws, run_rounds
from benchmarks.chaos.service import ChaosService, NodeSight, RunFailed, complete
from benchmarks.chaos.watcher import Watcher
from node.supervision.state import CoordinatorRecord, MemberRecord, SupervisionState

HOSTS = ["spark-1", "spark-2"]
TOKEN = "4be1-1"
BOUND_S = 4.0
Scenario = Callable[["MovedNodes"], None]


@dataclass
class MovedNodes:
    """In place of a ChaosService: each node's runs, the last of which is alive. A restart is what a
    supervisor does; a scenario may do otherwise."""

    scenario: Scenario
    runs: dict[str, list[SeenRun]] = field(default_factory=dict)
    live: dict[str, set[str]] = field(default_factory=dict)
    answers: bool = True
    phase: Any = "serving"
    epoch: int = 1
    leftovers: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    evidence: list[Path] = field(default_factory=list)
    url: str = ""
    hosts: list[str] = field(default_factory=lambda: HOSTS)

    def start(self, host: str, epoch: int) -> None:
        number = len(self.runs.setdefault(host, [])) + 1
        now = time.time()
        self.runs[host].append(SeenRun(host, f"{host}@{number}", TOKEN, epoch, now, now))
        self.live.setdefault(host, set()).add(f"{host}@{number}")

    def end(self, host: str) -> None:
        self.live[host].clear()
        self.runs[host][-1] = replace(self.runs[host][-1], alive_until=time.time())

    def restart(self) -> None:
        self.answers = False
        for host in self.hosts:
            self.end(host)
        self.epoch += 1
        for host in self.hosts:
            self.start(host, self.epoch)
        self.answers = True

    def look(self) -> dict[str, NodeSight | None]:
        record = CoordinatorRecord(self.epoch, self.phase, "settled")
        state = SupervisionState(TOKEN, MemberRecord(self.epoch), coordinator=record)
        return {
            host: NodeSight(state, tuple(self.runs[host]), tuple(sorted(self.live[host])))
            for host in self.hosts
        }

    def up(self) -> None:
        for host in self.hosts:
            self.start(host, self.epoch)
        self.answers = True

    def list_leftovers(self) -> tuple[str, ...]:
        return self.leftovers

    def list_differences(self) -> tuple[str, ...]:
        return self.differences

    def keep_evidence(self, folder: Path) -> None:
        self.evidence.append(folder)


@contextmanager
def open_round(
    nodes: MovedNodes, name: FaultName, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Chaos]:
    for module, setting, value in [
        (rounds, "SETTLE_S", 0.2),
        (rounds, "REST_S", 0.1),
        (rounds, "POLL_S", 0.02),
        (watcher, "ASK_EVERY_S", 0.02),
        (watcher, "LOOK_EVERY_S", 0.02),
    ]:
        monkeypatch.setattr(module, setting, value)
    monkeypatch.setattr(watcher, "ask", lambda url: nodes.answers)
    monkeypatch.setattr(rounds, "draw_fault", lambda *arguments: DrawnFault(name, "spark-2", 0.0))
    monkeypatch.setattr(injection, "inject", lambda service, fault: nodes.scenario(nodes))
    monkeypatch.setattr(injection, "mend", lambda service, fault: None)
    monkeypatch.setattr(injection, "prepare_clock", lambda service: None)
    for host in HOSTS:
        nodes.start(host, 1)
    chaos_service = cast(ChaosService, nodes)
    watching = Watcher(chaos_service)
    watching.start()
    try:
        yield Chaos(chaos_service, watching, 0, BOUND_S, lambda line: None)
    finally:
        watching.close()


def run_round(name: FaultName, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> RoundRecord:
    nodes = MovedNodes(scenario)
    with open_round(nodes, name, monkeypatch) as chaos:
        return chaos.run_round(0)


def list_broken(record: RoundRecord) -> set[str]:
    return {broken.invariant for broken in find_violations(record, BOUND_S)}


def leave_alone(nodes: MovedNodes) -> None:
    pass


def restart_as_one(nodes: MovedNodes) -> None:
    nodes.restart()


def destroy(nodes: MovedNodes) -> None:
    nodes.answers = False
    for host in nodes.hosts:
        nodes.end(host)


@pytest.mark.parametrize(
    ("name", "scenario"),
    [("freeze", leave_alone), ("kill rank", restart_as_one), ("destroy", destroy)],
)
def test_a_round_as_it_should_be_breaks_nothing(
    name: FaultName, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run_round(name, scenario, monkeypatch)
    assert list_broken(record) == set()
    assert record.serving is not None
    assert len(record.before) == 2
    assert record.requests


def start_beside(nodes: MovedNodes) -> None:
    """Rank 1 of the next epoch, while rank 0 of this one lives."""
    nodes.end("spark-2")
    nodes.epoch += 1
    nodes.start("spark-2", nodes.epoch)


def restart_twice(nodes: MovedNodes) -> None:
    nodes.restart()
    nodes.restart()


def stop_answering(nodes: MovedNodes) -> None:
    nodes.answers = False


def claim_to_serve(nodes: MovedNodes) -> None:
    """Green and dead: the phase says so, and no rank of one node lives."""
    nodes.end("spark-1")


def leave_something(nodes: MovedNodes) -> None:
    destroy(nodes)
    nodes.leftovers = ("spark-1: sparkform-tiny-0",)


def change_something(nodes: MovedNodes) -> None:
    nodes.differences = ("update urn:pulumi:a",)


@pytest.mark.parametrize(
    ("name", "scenario", "invariant"),
    [
        ("kill rank", start_beside, "never two epochs alive"),
        ("freeze", restart_as_one, "never a restart during load"),
        ("kill rank", restart_twice, "never a restart during load"),
        ("kill rank", stop_answering, "serving within the bound"),
        ("kill rank", claim_to_serve, "serving within the bound"),
        ("destroy", leave_something, "nothing alive after destroy"),
        ("up", change_something, "receipts in sync"),
    ],
)
def test_what_is_broken_on_the_nodes_is_found(
    name: FaultName, scenario: Scenario, invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list_broken(run_round(name, scenario, monkeypatch)) == {invariant}


def test_watchers_that_have_died_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_round(MovedNodes(leave_alone), "freeze", monkeypatch) as chaos:
        assert chaos.await_serving() is not None
        chaos.watcher.close()
        assert chaos.await_serving() is None


def test_a_broken_round_ends_the_run_and_leaves_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, nodes = tmp_path / "chaos.jsonl", MovedNodes(change_something)
    with open_round(nodes, "up", monkeypatch) as chaos:
        run_rounds(chaos, range(5), log)
    assert [list_broken(record) for record in read_records(log)] == [{"receipts in sync"}]
    assert nodes.evidence == [tmp_path / "round-0"]


def test_a_round_that_cannot_be_judged_leaves_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(nodes: MovedNodes) -> None:
        raise RunFailed("`pulumi up` ended with 255")

    log, nodes = tmp_path / "chaos.jsonl", MovedNodes(fail)
    with open_round(nodes, "up", monkeypatch) as chaos, pytest.raises(RunFailed):
        run_rounds(chaos, range(5), log)
    assert (read_records(log), nodes.evidence) == ([], [tmp_path / "round-0"])


def test_a_log_of_another_seed_or_rack_is_not_gone_on_with(tmp_path: Path) -> None:
    log = tmp_path / "chaos.jsonl"
    for number in range(3):
        fault = draw_fault(7, number, HOSTS)
        append_record(log, RoundRecord(number, fault, 0.0, 0.0, None, 0.0, (), (), (), ()))
    records = read_records(log)
    require_draws(records, 7, HOSTS)
    for seed, hosts in [(8, HOSTS), (7, ["node-1", "node-2"])]:
        with pytest.raises(RunFailed, match="the log's round 0 is not that of seed"):
            require_draws(records, seed, hosts)
    with pytest.raises(RunFailed, match="round 0"):
        require_draws(records[1:], 7, HOSTS)


def test_a_run_that_takes_too_long_ends_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "RUN_LIMIT_S", 0.5)
    process = subprocess.Popen(
        ["sh", "-c", "sleep 600 & wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with pytest.raises(RunFailed, match="a run took more than"):
        complete(process)
    assert process.returncode == -9
    assert process.stdout
    assert process.stdout.closed, "the sleep held it open"


def test_an_answer_that_is_no_http_is_none() -> None:
    class Garbage(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nchoices")

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Garbage) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert not watcher.ask(f"http://127.0.0.1:{server.server_address[1]}")
