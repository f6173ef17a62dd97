"""On the head: every rank of a service has been started for one run. It has no state of its own.

It comes after the last rank, so its receipt says that whoever started them got to the end: a run
that was killed in between has left none. A Swarm starts its ranks in its own time, and is waited
for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from node.errors import StepError
from node.host.docker_api import get
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.ranks import service_objects
from node.ranks.service_objects import Member
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
PAUSE_S = 0.5
ENDED_STATES = ("complete", "failed", "rejected", "shutdown", "orphaned")


@dataclass(frozen=True)
class Want:
    """The run of a service, and its ranks."""

    service: str
    token: str
    ranks: tuple[int, ...]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """Raises StepError with the Swarm's reason for each rank that it does not start."""
    deadline = time.monotonic() + START_LIMIT_S
    while waiting := _find_waiting(manifest.system, want.token):
        if time.monotonic() > deadline:
            raise StepError(
                "\n".join(_describe_delay(manifest.system, member) for member in waiting)
            )
        time.sleep(PAUSE_S)
    ranks = ", ".join(map(str, want.ranks))
    return [f"service {want.service}: started (rank {ranks})"]


def _find_waiting(system: System, token: str) -> list[Member]:
    """The Swarm's ranks that have not been started. One that has ended is not waited for."""
    members = [
        member
        for member in service_objects.swarm_services(system)
        if member.token == token and not member.alive
    ]
    return [
        member
        for member in members
        if _read_task_status(system, member).get("State") not in ENDED_STATES
    ]


def _describe_delay(system: System, member: Member) -> str:
    status = _read_task_status(system, member)
    reason = status.get("Err") or status.get("Message") or "no reason given"
    return f"{member.name} was not started within {START_LIMIT_S:g} s: {reason}"


def _read_task_status(system: System, member: Member) -> Mapping[str, object]:
    """The status of a service's only task (Docker Engine API, TaskList)."""
    filters = quote(json.dumps({"service": [member.id]}))
    tasks = as_list(get(system, f"/tasks?filters={filters}"))
    return as_mapping(as_mapping(tasks[0] if tasks else {}).get("Status"))


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
