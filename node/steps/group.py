"""On the head: every rank of a service has been started for one run. It has no state of its own.

It comes after the last rank, so its receipt says that whoever started them got to the end: a run
that was killed in between has left none. A Swarm starts its ranks in its own time, and is waited
for.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.errors import StepError
from node.host.system import System
from node.host.waiting import wait_while
from node.ranks.finding import find_swarm_ranks
from node.state.manifest import Manifest
from node.steps import (
    Nothing,
    Secrets,
    StepSpec,
    find_no_difference,
    keep_want,
    observe_nothing,
)

START_LIMIT_S = 120.0


@dataclass(frozen=True)
class Want:
    """The run of a service, and its ranks."""

    service: str
    token: str
    ranks: tuple[int, ...]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """Raises StepError with the Swarm's reason for each rank that it does not start."""
    delays = wait_while(lambda: _list_delays(manifest.system, want.token), START_LIMIT_S)
    if delays:
        raise StepError("\n".join(f"{delay} (after {START_LIMIT_S:g} s)" for delay in delays))
    ranks = ", ".join(map(str, want.ranks))
    return [f"service {want.service}: started (rank {ranks})"]


def _list_delays(system: System, token: str) -> list[str]:
    """The Swarm's ranks that have not been started. One that has ended is not waited for."""
    swarm = find_swarm_ranks(system)
    if swarm.unknown is not None:
        return [swarm.unknown]
    waiting = [rank for rank in swarm.ranks if rank.token == token and not rank.is_started]
    return [f"{rank.name} is not started: {rank.message}" for rank in waiting]


SPEC = StepSpec(
    name="group",
    want=Want,
    observed=Nothing,
    observe=observe_nothing,
    narrow=keep_want,
    compare=find_no_difference,
    apply=apply,
    phrase="will be recorded as started",
)
