"""Ranks in containers, those of Swarm services included: found by label, read by Docker."""

from __future__ import annotations

import calendar
import json
import time
import urllib.parse

from node.errors import StepError
from node.host import docker_query
from node.host.docker_api import get, get_message
from node.host.labels import SERVICE
from node.host.paths import DOCKER_SOCKET
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.ranks import frames
from node.ranks.rank import CONTAINER, LogLine, Rank, State, parse_labels

SWARM_LABEL = "com.docker.swarm.service.id"
"""Docker labels the containers of a Swarm service with it."""

START_LIMIT_S = 60.0

NEVER = "0001-01-01T00:00:00Z"
"""Docker's time of what has not happened."""

STATES: dict[str, State] = {
    "created": "created",
    "running": "running",
    "restarting": "running",
    "paused": "paused",
    "removing": "stopping",
}
"""Docker's words to ours; the others (exited, dead) are of a container that has ended."""


def list_containers(system: System, service: str | None) -> list[Rank]:
    """Every container of a service, or of any, running or not. Raises DockerUnknown."""
    label = SERVICE if service is None else f"{SERVICE}={service}"
    filters = json.dumps({"label": [label]})
    entries = as_list(docker_query.query(system, "/containers/json", all=1, filters=filters))
    ranks = (find_container(system, str(as_mapping(entry).get("Id"))) for entry in entries)
    return [rank for rank in ranks if rank]


def find_container(system: System, container_id: str) -> Rank | None:
    """A container as it is now; None where it is gone. Raises DockerUnknown."""
    container = docker_query.query(system, f"/containers/{container_id}/json")
    return parse_container(as_mapping(container))


def parse_container(container: dict[str, object]) -> Rank | None:
    """Of GET /containers/ID/json. One that could not be started is "created", with an error."""
    config, state = as_mapping(container.get("Config")), as_mapping(container.get("State"))
    container_labels = as_mapping(config.get("Labels"))
    labels = parse_labels(container_labels)
    if labels is None:
        return None
    status = "ended" if state.get("Error") else STATES.get(str(state.get("Status")), "ended")
    return Rank(
        kind=CONTAINER,
        runtime="swarm" if SWARM_LABEL in container_labels else "container",
        labels=labels,
        name=str(container.get("Name", "")).lstrip("/"),
        id=str(container.get("Id", "")),
        state=status,
        started_s=max(0.0, float(format_unix_time(str(state.get("StartedAt") or NEVER)))),
        exit_code=int(state.get("ExitCode", 0)) if status == "ended" else None,
        killed_for_memory=bool(state.get("OOMKilled")),
        has_terminal=bool(config.get("Tty")),
    )


def read_log(system: System, rank: Rank, cursor: str) -> list[LogLine]:
    """What this run has printed after `cursor`; "" for all of it. Nothing where it is gone.

    A container that is started again goes on in the log of its earlier runs.
    """
    since = format_unix_time(cursor) if cursor else f"{rank.started_s:.3f}"
    parameters: dict[str, object] = {"stdout": 1, "stderr": 1, "timestamps": 1, "since": since}
    path = f"/containers/{rank.id}/logs?{urllib.parse.urlencode(parameters)}"
    data = system.fetch(DOCKER_SOCKET, path)
    lines = frames.parse_lines(data or b"", rank.has_terminal)
    return [line for line in lines if line.cursor > cursor]


def read_memory_bytes(system: System, rank: Rank) -> int | None:
    """What its control group holds, the page cache of the weights that it reads included."""
    stats = get(system, f"/containers/{rank.id}/stats?stream=false&one-shot=true")
    usage = as_mapping(as_mapping(stats).get("memory_stats")).get("usage")
    return int(usage) if usage is not None else None


def start_container(system: System, rank: Rank) -> None:
    """Raises StepError, also where it runs already: then another hand has started it."""
    answer = system.request(
        DOCKER_SOCKET, "POST", f"/containers/{rank.id}/start", timeout_s=START_LIMIT_S
    )
    if not answer.ok:
        reason = "it runs already" if answer.status == 304 else get_message(answer.body)
        raise StepError(f"container {rank.name} was not started: {reason}")


def stop_container(system: System, rank: Rank, grace_s: int) -> None:
    """Gone when this returns: Docker kills after the grace. Raises StepError."""
    docker_query.end_object(system, "POST", f"/containers/{rank.id}/stop", {"t": grace_s})


def remove_container(system: System, rank: Rank) -> None:
    docker_query.end_object(
        system, "DELETE", f"/containers/{rank.id}", {"force": "true", "v": "true"}
    )


def format_unix_time(cursor: str) -> str:
    """
    >>> format_unix_time("2025-11-21T11:05:20.123456789Z")
    '1763723120.123456789'
    """
    date, _, fraction = cursor.partition(".")
    seconds = calendar.timegm(time.strptime(date.rstrip("Z"), "%Y-%m-%dT%H:%M:%S"))
    return f"{seconds}.{fraction.rstrip('Z') or '0'}"
