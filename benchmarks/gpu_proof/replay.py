"""A recorded log, by the seconds of its lines, through the agent's own judge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from node.ranks.rank import Rank, RankLabels
from node.ranks.signatures import list_for
from node.readiness.events import LinePrinted, RankObserved, Ticked
from node.readiness.failure import RankIdentity, StartFailure
from node.readiness.judge import Limits, WatchState, judge

RUNNING = Rank("unit", "native", RankLabels("proof", 0, "1", "proof/gpu"), "proof", "1", "running")
LIMITS = Limits(ready_s=600, silence_s=600)
SETTLED_S = 5.0


@dataclass(frozen=True)
class ReplayedLog:
    """`stages`: each with the second at which it began. `failure`: the signature's id, None where
    none was named. `longest_silence_s`: between two lines before the server was open."""

    stages: tuple[tuple[float, str], ...]
    failure: str | None
    longest_silence_s: float


def read_lines(log: Path) -> list[tuple[float, str]]:
    """Lines with their seconds; a log and its `.seconds` have as many."""
    texts = log.read_bytes().decode("utf-8", "replace").split("\n")
    seconds = [float(text) for text in log.with_suffix(".seconds").read_text().split()]
    return list(zip(seconds, texts, strict=False))


def replay(lines: Iterable[tuple[float, str]], exit_code: int | None) -> ReplayedLog:
    identity = RankIdentity("proof", 0, "gpu")
    state = WatchState(identity, LIMITS, list_for("vllm", False), 0.0, 0.0)
    state = judge(state, RankObserved(0, RUNNING))
    stages: list[tuple[float, str]] = []
    last_s = silence_s = 0.0
    for at_s, line in lines:
        state = judge(state, LinePrinted(at_s, line))
        if not stages or stages[-1][1] != "the server is open":
            silence_s = max(silence_s, at_s - last_s)
        last_s = at_s
        if state.stage and state.stage not in {stage for _, stage in stages}:
            stages.append((at_s, state.stage))
    ended = replace(RUNNING, state="ended", exit_code=exit_code or 0)
    state = judge(judge(state, RankObserved(last_s, ended)), Ticked(last_s + SETTLED_S))
    failure = state.outcome.id if isinstance(state.outcome, StartFailure) else None
    return ReplayedLog(tuple(stages), failure, round(silence_s, 1))
