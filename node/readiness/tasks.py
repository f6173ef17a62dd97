"""What Swarm's manager says of a member that never came: only it knows why."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from node.host.docker_api import get
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.readiness.judge import RankIdentity, StartFailure
from node.readiness.wanted import RankEndpoint, WatchTarget

REJECTED = ("rejected", "orphaned")
NO_ROOM = "no suitable node"
"""moby, swarmkit manager/scheduler: a task that waits for a node with what it asks for."""


def find_unplaced_member(system: System, target: WatchTarget) -> StartFailure | None:
    """For the head, which is a manager: the first member that Swarm cannot start."""
    if target.runtime != "swarm" or not target.is_head:
        return None
    for member in target.ranks:
        reason = query_task_error(system, member.name)
        if reason:
            return _build_failure(target.service, member, reason)
    return None


def query_task_error(system: System, name: str) -> str | None:
    """Why a Swarm service has no running task, in Swarm's words; None where it has, or may yet."""
    return find_latest_error(as_list(get(system, f"/tasks?{_build_filter(name)}")))


def find_latest_error(tasks: list[Any]) -> str | None:
    """Why the newest task of a service does not run, in Swarm's words; None where it may yet."""
    newest = max(
        map(as_mapping, tasks), key=lambda task: str(task.get("CreatedAt", "")), default={}
    )
    status = as_mapping(newest.get("Status"))
    message = str(status.get("Err") or "")
    if status.get("State") in REJECTED:
        return message or f"the task is {status['State']}"
    return message if NO_ROOM in message else None


def _build_filter(name: str) -> str:
    return urllib.parse.urlencode({"filters": json.dumps({"service": [name]})})


def _build_failure(service: str, member: RankEndpoint, reason: str) -> StartFailure:
    return RankIdentity(service, member.rank, member.node).build_failure(
        "not-placed",
        f"Swarm does not start its engine on {member.node}",
        "`sparkform doctor` looks at Swarm's nodes, their labels and their GPUs",
        reason,
        "swarm-toolkit" if NO_ROOM in reason else None,
    )
