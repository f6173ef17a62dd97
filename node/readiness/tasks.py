"""What Swarm's manager says of a member that never came: only it knows why."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from node.host.docker_api import get
from node.host.plain import listing, mapping
from node.host.system import System
from node.readiness.judge import Failure, Place
from node.readiness.wanted import Member, Wanted

REJECTED = ("rejected", "orphaned")
NO_ROOM = "no suitable node"
"""moby, swarmkit manager/scheduler: a task that waits for a node with what it asks for."""


def trouble(system: System, wanted: Wanted) -> Failure | None:
    """For the head, which is a manager: the first member that Swarm cannot start."""
    if wanted.runtime != "swarm" or not wanted.is_head:
        return None
    for member in wanted.members:
        said = trouble_of(system, member.name)
        if said:
            return _failure(wanted.service, member, said)
    return None


def trouble_of(system: System, name: str) -> str | None:
    """Why a Swarm service has no running task, in Swarm's words; None where it has, or may yet."""
    return latest_error(listing(get(system, f"/tasks?{_of_service(name)}")))


def latest_error(tasks: list[Any]) -> str | None:
    """Why the newest task of a service does not run, in Swarm's words; None where it may yet."""
    newest = max(map(mapping, tasks), key=lambda one: str(one.get("CreatedAt", "")), default={})
    status = mapping(newest.get("Status"))
    said = str(status.get("Err") or "")
    if status.get("State") in REJECTED:
        return said or f"the task is {status['State']}"
    return said if NO_ROOM in said else None


def _of_service(name: str) -> str:
    return urllib.parse.urlencode({"filters": json.dumps({"service": [name]})})


def _failure(service: str, member: Member, said: str) -> Failure:
    return Place(service, member.rank, member.node).failure(
        "not-placed",
        f"Swarm does not start its engine on {member.node}",
        "`sparkform doctor` looks at Swarm's nodes, their labels and their GPUs",
        said,
        "swarm-toolkit" if NO_ROOM in said else None,
    )
