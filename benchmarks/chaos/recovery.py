"""`python -m benchmarks.chaos.recovery`: from a killed rank to recovery, and to the first token.

Each rank is killed ten times on a rack of its own; medians stand beside what others have published.
The engine is a stand-in that loads for two seconds: the time to a token is that of all around it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.chaos import injection
from benchmarks.chaos.__main__ import open_chaos
from benchmarks.chaos.faults import DrawnFault
from benchmarks.chaos.rounds import Chaos
from benchmarks.markdown import render_table
from sparkrack import lifecycle
from sparkrack.prepare import prepare
from sparkrack.shape import RackFabric, RackShape

PUBLISHED = (
    (
        "failover of a group of four, DeepSeek 4.1 Flash: 13 min 44 s",
        "https://github.com/tsw2k/Deepseek-4.1-Flash-Quad-DGX-Sparks/blob/main/results/"
        "2026-09-13-failover-recovered/NOTES.md",
    ),
    (
        "a drill with a supervisor, Qwen3.8 Flash on one node: 12 min",
        "https://github.com/MiaAI-Lab/Qwen3.8-Flash-Next-Single-DGX-Spark/pull/41",
    ),
    (
        "a group of two that Kubernetes makes anew: about 4 min",
        "https://github.com/defilantech/LLMKube/issues/1423",
    ),
)
"""What others write of real engines, whose own start is most of it."""

QUIET_S = 65.0
"""Restarts are counted within a minute: after it the next one waits no longer than the first."""


@dataclass(frozen=True)
class RecoveryTime:
    """Seconds from the kill of a rank."""

    rank: int
    recovering_s: float
    token_s: float


def measure_recovery(chaos: Chaos, rank: int) -> RecoveryTime:
    """Raises TimeoutError where the service does not come back."""
    watcher = chaos.watcher
    watcher.mark()
    killed = time.time()
    injection.inject(chaos.service, DrawnFault("kill rank", chaos.service.hosts[rank], 0.0))
    if chaos.await_serving() is None or watcher.recovering is None:
        raise TimeoutError(f"rank {rank}: not within {chaos.bound_s:.0f} s")
    recovering = watcher.recovering
    token = next(
        entry.at for entry in watcher.requests if entry.at > recovering and entry.is_answered
    )
    return RecoveryTime(rank, recovering - killed, token - killed)


def render_times(times: Sequence[RecoveryTime]) -> str:
    ranks = sorted({entry.rank for entry in times})
    rows = [_build_row(rank, [entry for entry in times if entry.rank == rank]) for rank in ranks]
    header = ["killed", "runs", "until recovery, s (median, most)", "until a token, s"]
    published = [f"- [{text}]({link})" for text, link in PUBLISHED]
    return "\n".join([render_table(header, rows), "", "Published by others:", *published])


def _build_row(rank: int, times: Sequence[RecoveryTime]) -> list[str]:
    pairs = [[entry.recovering_s for entry in times], [entry.token_s for entry in times]]
    return [
        f"rank {rank}",
        str(len(times)),
        *(f"{median(values):.1f}, {max(values):.1f}" for values in pairs),
    ]


def measure_all(chaos: Chaos, runs: int) -> Iterator[RecoveryTime]:
    for number in range(runs * len(chaos.service.hosts)):
        if number:
            time.sleep(QUIET_S)
        times = measure_recovery(chaos, number % len(chaos.service.hosts))
        typer.echo(f"rank {times.rank}: {times.recovering_s:.1f} s, {times.token_s:.1f} s")
        yield times


def main(runs: Annotated[int, typer.Option(min=1)] = 10) -> None:
    """Print the table."""
    prepare(typer.echo)
    lifecycle.take_down("recovery")
    rack = lifecycle.bring_up("recovery", RackShape(2, RackFabric.DIRECT), typer.echo)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sparkform-recovery-") as folder,
            open_chaos(rack, Path(folder) / "stack", seed=0) as chaos,
        ):
            times = list(measure_all(chaos, runs))
    finally:
        lifecycle.take_down("recovery")
    typer.echo(render_times(times))


if __name__ == "__main__":
    typer.run(main)
