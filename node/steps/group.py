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

from node.errors import Refusal
from node.host.docker_api import get
from node.host.plain import listing, mapping
from node.host.system import System
from node.ranks import service_objects
from node.ranks.service_objects import Member
from node.state.manifest import Journal
from node.steps.stateless import differences, disturbs, narrow

START_LIMIT_S = 120.0
PAUSE_S = 0.5
ENDED = ("complete", "failed", "rejected", "shutdown", "orphaned")
Json = Mapping[str, Any]
__all__ = ["apply", "differences", "disturbs", "narrow", "observe"]


def observe(system: System, request: Json) -> dict[str, Any]:
    return {}


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    """Raises Refusal with what the Swarm says of a rank that it does not start."""
    deadline = time.monotonic() + START_LIMIT_S
    while waiting := _waiting(journal.system, want["token"]):
        if time.monotonic() > deadline:
            raise Refusal("\n".join(_why(journal.system, one) for one in waiting))
        time.sleep(PAUSE_S)
    ranks = ", ".join(map(str, want["ranks"]))
    return [f"service {want['service']}: started (rank {ranks})"]


def _waiting(system: System, token: str) -> list[Member]:
    """The Swarm's ranks that have not been started. One that has ended is not waited for."""
    found = [
        one
        for one in service_objects.swarm_services(system)
        if one.token == token and not one.alive
    ]
    return [one for one in found if _task(system, one).get("State") not in ENDED]


def _why(system: System, rank: Member) -> str:
    status = _task(system, rank)
    said = status.get("Err") or status.get("Message") or "it says nothing"
    return f"{rank.name} was not started within {START_LIMIT_S:g} s: {said}"


def _task(system: System, rank: Member) -> Json:
    """The status of a service's only task (Docker Engine API, TaskList)."""
    wanted = quote(json.dumps({"service": [rank.id]}))
    found = listing(get(system, f"/tasks?filters={wanted}"))
    return mapping(mapping(found[0] if found else {}).get("Status"))
