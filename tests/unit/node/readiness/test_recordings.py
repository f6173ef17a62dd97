"""Whole logs of vLLM 0.26.0 on H100 and H200, replayed by their own seconds.

tests/data/engine_logs: each line begins with the second at which it came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from node.ranks.rank import Rank, RankLabels
from node.ranks.signatures import list_for
from node.readiness.events import LinePrinted, RankObserved, Ticked
from node.readiness.failure import RankIdentity, StartFailure
from node.readiness.judge import Limits, WatchState, judge
from tests.support.recorded import DATA

LOGS = DATA / "engine_logs"
RUNNING = Rank(
    "container", "container", RankLabels("llm", 0, "1-1", "s/p"), "llm-0", "c", "running"
)
BAR = "recording CUDA graphs, 100 %"
EAGER = ("loading", "loaded", "warming up", "the server is open")
SERVED = ("loading", "loaded", "compiling", BAR, "warming up", "the server is open")


@dataclass(frozen=True)
class Recording:
    """What a log has to come out as. `exit_code` null: it was ended by us while it served."""

    name: str
    failure: str | None = None
    exit_code: int | None = None
    over_rdma: bool = False
    stages: tuple[str, ...] = ()


RECORDINGS = [
    Recording("one-8b-h100", stages=SERVED),
    Recording("one-8b-fp8-h200", stages=SERVED),
    Recording("supervised-stalled-h200", stages=SERVED),
    Recording("one-gpt-oss-20b-h200", stages=EAGER),
    Recording("one-qwen3-30b-a3b-h100", stages=SERVED),
    Recording("two-sockets-rank0", stages=SERVED),
    Recording("fatal-address-in-use", "address-in-use", 1),
    Recording("fatal-little-free-memory", "little-free-memory", 1),
    Recording("fatal-model-not-there", "model-not-there", 1),
    Recording("fatal-no-kernel-image", "no-kernel-image", 1),
    Recording("fatal-no-room-for-cache", "no-room-for-cache", 1),
    Recording("fatal-out-of-memory", "out-of-memory", 1),
    # `vllm serve` ends with 0 after its engine has died.
    Recording("fatal-segfault-after-start", "segmentation-fault", 0),
    Recording("fatal-unknown-option", "unknown-option", 2),
    Recording("fatal-world-size", "world-size", 1),
    Recording("fatal-wrong-quantisation", "unknown-quantisation", 1),
    Recording("fatal-wrong-backend", "unknown-backend", 1),
    Recording("fatal-disk-full", "disk-full", 1),
    Recording("fatal-memory-profiling", "memory-profiling", 1),
    Recording("start-without-flashinfer", "package-missing", 1),
    Recording("two-verbatim-ib-rank0", "no-rdma", 1, over_rdma=True),
    Recording("two-verbatim-ib-rank1", "no-rdma", 1, over_rdma=True),
    Recording("two-sockets-rank0", "socket-fallback", 1, over_rdma=True),
    Recording("two-sockets-rank1-killed-rank0", "peer-gone", 0),
    Recording("two-nvlink-stopped-then-killed-rank0", "rank-silent", 0),
]


def read_lines(name: str) -> list[tuple[float, str]]:
    text = (LOGS / f"{name}.log").read_bytes().decode("utf-8")
    pairs = [line.split(" ", 1) for line in text.split("\n") if line]
    return [(float(second), line) for second, line in pairs]


def replay(recording: Recording) -> tuple[WatchState, list[str]]:
    """The state at the end, and the stages that it went through."""
    identity, limits = RankIdentity("llm", 0, "spark-1"), Limits(ready_s=600, silence_s=60)
    signatures = list_for("vllm", recording.over_rdma)
    state = judge(WatchState(identity, limits, signatures, 0.0, 0.0), RankObserved(0, RUNNING))
    stages: list[str] = []
    at_s = 0.0
    for at_s, line in read_lines(recording.name):
        if recording.failure is None:
            # Only a good start is held to the limit of silence: the fatal ones went on to serve.
            state = judge(state, Ticked(at_s))
        state = judge(state, LinePrinted(at_s, line))
        if state.stage and state.stage not in stages[-1:]:
            stages.append(state.stage)
        if state.stage == "the server is open" and recording.failure is None:
            return judge(state, Ticked(at_s)), stages
    ended = replace(RUNNING, state="ended", exit_code=recording.exit_code)
    return judge(judge(state, RankObserved(at_s, ended)), Ticked(at_s + 2)), stages


@pytest.mark.parametrize(
    "recording", RECORDINGS, ids=lambda recording: f"{recording.name}-{recording.failure}"
)
def test_a_recorded_log_comes_out_as_what_it_was(recording: Recording) -> None:
    state, stages = replay(recording)
    failure = state.outcome.id if isinstance(state.outcome, StartFailure) else None
    assert failure == recording.failure
    assert recording.stages == () or tuple(dict.fromkeys(stages)) == recording.stages


def test_every_recording_is_replayed() -> None:
    assert {path.stem for path in LOGS.glob("*.log")} == {row.name for row in RECORDINGS}
