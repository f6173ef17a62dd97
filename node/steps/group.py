"""On the head: every rank of a service has been started for one run. It has no state of its own.

want: {"service", "token", "ranks": [number]}. It comes after the last rank, so its receipt says
that whoever started them got to the end: a run that was killed in between has left none. A Swarm
starts its ranks in its own time, and is waited for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from node.errors import StepError
from node.host.docker_api import get
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.ranks import service_objects
from node.ranks.service_objects import Member
from node.state.manifest import Manifest
from node.steps.stateless import compare, get_disturbance, narrow

START_LIMIT_S = 120.0
PAUSE_S = 0.5
ENDED_STATES = ("complete", "failed", "rejected", "shutdown", "orphaned")
Json = Mapping[str, Any]
__all__ = ["apply", "compare", "get_disturbance", "narrow", "observe"]


def observe(system: System, request: Json) -> dict[str, Any]:
    return {}


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    """Raises Refusal with what the Swarm says of a rank that it does not start."""
    deadline = time.monotonic() + START_LIMIT_S
    while waiting := _find_waiting(manifest.system, want["token"]):
        if time.monotonic() > deadline:
            raise StepError(
                "\n".join(_describe_delay(manifest.system, member) for member in waiting)
            )
        time.sleep(PAUSE_S)
    ranks = ", ".join(map(str, want["ranks"]))
    return [f"service {want['service']}: started (rank {ranks})"]


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


def _describe_delay(system: System, rank: Member) -> str:
    status = _read_task_status(system, rank)
    reason = status.get("Err") or status.get("Message") or "it says nothing"
    return f"{rank.name} was not started within {START_LIMIT_S:g} s: {reason}"


def _read_task_status(system: System, rank: Member) -> Json:
    """The status of a service's only task (Docker Engine API, TaskList)."""
    filters = quote(json.dumps({"service": [rank.id]}))
    tasks = as_list(get(system, f"/tasks?filters={filters}"))
    return as_mapping(as_mapping(tasks[0] if tasks else {}).get("Status"))
