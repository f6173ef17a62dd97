"""The judge alone: one event after another, no clock, no machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.ranks.rank import Rank, RankLabels
from node.ranks.signatures import list_for
from node.readiness.events import (
    Answered,
    Event,
    FailureReported,
    LinePrinted,
    MemoryRead,
    PeerProgressed,
    RankObserved,
    Ticked,
)
from node.readiness.failure import RankIdentity, StartFailure
from node.readiness.judge import APPEAR_S, MOVED_BYTES, Limits, Ready, WatchState, judge

LABELS = RankLabels("qwen", 0, "4be1-1", "spark/demo")
RUNNING = Rank("container", "container", LABELS, "sparkform-qwen-0", "c0ffee", "running", 1.0)
ENDED = replace(RUNNING, state="ended", exit_code=3)
START = WatchState(
    identity=RankIdentity("qwen", 0, "spark-1"),
    limits=Limits(ready_s=3600, silence_s=60),
    signatures=list_for("vllm", over_rdma=False),
    started_s=0.0,
    progress_s=0.0,
)


def judge_all(*events: Event, start: WatchState = START) -> WatchState:
    state = start
    for event in events:
        state = judge(state, event)
    return state


def get_failure_id(state: WatchState) -> str | None:
    return state.outcome.id if isinstance(state.outcome, StartFailure) else None


def test_a_rank_that_runs_and_answers_is_ready() -> None:
    state = judge_all(RankObserved(1, RUNNING), Ticked(1), Answered(9))
    assert state.outcome == Ready(took_s=9)


def test_a_death_is_judged_a_moment_later_so_that_last_lines_count() -> None:
    dead = judge_all(RankObserved(1, RUNNING), RankObserved(5, ENDED), Ticked(5))
    assert dead.outcome is None
    assert get_failure_id(judge(dead, Ticked(6))) == "dead-rank"
    line = LinePrinted(5.5, "vllm serve: error: unrecognized arguments: --fast")
    assert get_failure_id(judge_all(line, Ticked(6), start=dead)) == "unknown-option"


def test_a_rank_that_is_gone_was_removed_only_if_it_had_appeared() -> None:
    gone = judge_all(RankObserved(1, RUNNING), RankObserved(5, None), Ticked(6))
    assert get_failure_id(gone) == "removed"
    assert judge_all(RankObserved(5, None), Ticked(6)).outcome is None
    late = judge_all(RankObserved(5, None), Ticked(APPEAR_S + 1))
    assert get_failure_id(late) == "no-member"


def test_what_is_unknown_is_neither_dead_nor_absent() -> None:
    unknown = RankObserved(5, None, unknown="Docker does not answer")
    state = judge_all(RankObserved(1, RUNNING), unknown, Ticked(30))
    assert (state.rank, state.died_s, state.outcome) == (RUNNING, None, None)
    patient = replace(START, limits=Limits(ready_s=3600, silence_s=3600))
    assert judge_all(unknown, Ticked(APPEAR_S + 1), start=patient).outcome is None
    known = judge_all(RankObserved(5, None), Ticked(APPEAR_S + 1), start=patient)
    assert get_failure_id(known) == "no-member"


@pytest.mark.parametrize(
    "sign",
    [
        LinePrinted(50, "INFO Loading weights took 3.2 seconds"),
        MemoryRead(50, 2 * MOVED_BYTES),
        PeerProgressed(50),
    ],
    ids=["line", "memory", "peer"],
)
def test_every_sign_of_progress_puts_silence_off(sign: Event) -> None:
    state = judge_all(RankObserved(1, RUNNING), sign, Ticked(100))
    assert (state.progress_s, state.outcome) == (50, None)
    assert get_failure_id(judge(state, Ticked(111))) == "silence"


def test_a_fatal_line_is_judged_at_the_next_tick_and_the_first_one_counts() -> None:
    lines = [LinePrinted(3, "free(): double free detected in tcache 2")]
    lines.append(LinePrinted(4, "*** SIGSEGV received at time=1 on cpu 19 ***"))
    state = judge_all(RankObserved(1, RUNNING), *lines)
    assert state.outcome is None
    assert get_failure_id(judge(state, Ticked(4))) == "double-free"


def test_the_first_outcome_stays() -> None:
    failure = START.identity.build_failure("dead-rank", "exited", "look", "exit code 1")
    state = judge_all(FailureReported(3, failure), Answered(4), RankObserved(5, RUNNING))
    assert (state.outcome, state.rank) == (failure, None)


PEER_GONE = (
    "vm:1:2 [0] misc/socket.cc:72 NCCL WARN socketProgress: Connection closed by remote peer"
)
ENGINE_DIED = "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."
UNKNOWN_OPTION = "vllm serve: error: unrecognized arguments: --fast"


@pytest.mark.parametrize(
    ("lines", "id"),
    [
        ((PEER_GONE, ENGINE_DIED), "peer-gone"),
        ((PEER_GONE, UNKNOWN_OPTION, ENGINE_DIED), "unknown-option"),
        ((UNKNOWN_OPTION, PEER_GONE), "unknown-option"),
    ],
    ids=["first symptom", "a cause between symptoms", "a cause before"],
)
def test_a_symptom_explains_a_death_only_where_no_cause_was_printed(
    lines: tuple[str, ...], id: str
) -> None:
    dead = judge_all(RankObserved(1, RUNNING), *(LinePrinted(2, line) for line in lines))
    assert dead.outcome is None
    ended = replace(RUNNING, state="ended", exit_code=0)
    assert get_failure_id(judge_all(RankObserved(5, ended), Ticked(7), start=dead)) == id


def test_a_kill_for_memory_explains_more_than_a_symptom() -> None:
    killed = replace(ENDED, exit_code=137, killed_for_memory=True)
    for line, id in ((ENGINE_DIED, "out-of-memory"), (UNKNOWN_OPTION, "unknown-option")):
        state = judge_all(RankObserved(1, RUNNING), LinePrinted(2, line), RankObserved(5, killed))
        assert get_failure_id(judge(state, Ticked(7))) == id
