"""Ranks that run in containers, Swarm's included: found by label, read and stopped by Docker."""

from __future__ import annotations

import calendar
import json
import time
import urllib.parse
from typing import Any

from node.errors import StepError
from node.host.docker_api import get, send
from node.host.labels import RANK, SERVICE, TOKEN
from node.host.paths import DOCKER_SOCKET
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.ranks import frames
from node.ranks.running import Engine, Line

STOP_GRACE_S = 2
"""Then Docker kills: what is watched is to be gone within five seconds."""

NEVER = "0001-01-01T00:00:00Z"
"""Docker's time of what has not happened."""

GONE_IS_FINE = "No such container"


def find(system: System, service: str) -> list[Engine]:
    """Every container of a service on this node that was started, running or not; empty without
    Docker."""
    filters = json.dumps({"label": [f"{SERVICE}={service}"]})
    query = urllib.parse.urlencode({"all": 1, "filters": filters})
    listed = as_list(get(system, f"/containers/json?{query}"))
    found = (_inspect(system, str(as_mapping(one).get("Id"))) for one in listed)
    return [
        parse(one) for one in found if one and not _is_yet_to_start(as_mapping(one.get("State")))
    ]


def look(system: System, engine: Engine) -> Engine | None:
    """The same container as it is now; None where it is gone."""
    found = _inspect(system, engine.handle)
    return parse(found) if found else None


def _inspect(system: System, identity: str) -> dict[str, Any]:
    return as_mapping(get(system, f"/containers/{identity}/json"))


def _is_yet_to_start(state: dict[str, Any]) -> bool:
    """Made a moment ago. One that could not be started is "created" too, with its error."""
    return state.get("Status") == "created" and not state.get("Error")


def parse(found: dict[str, Any]) -> Engine:
    config, state = as_mapping(found.get("Config")), as_mapping(found.get("State"))
    labels = as_mapping(config.get("Labels"))
    alive = bool(state.get("Running"))
    rank = str(labels.get(RANK, ""))
    return Engine(
        kind="container",
        service=str(labels.get(SERVICE, "")),
        name=str(found.get("Name", "")).lstrip("/"),
        handle=str(found.get("Id", "")),
        rank=int(rank) if rank.isdigit() else None,
        token=labels.get(TOKEN),
        alive=alive,
        started_s=float(unix_time(str(state.get("StartedAt") or NEVER))),
        exit_code=None if alive else int(state.get("ExitCode", 0)),
        killed_for_memory=bool(state.get("OOMKilled")),
        has_terminal=bool(config.get("Tty")),
    )


def read_log(system: System, engine: Engine, cursor: str) -> list[Line]:
    """What it has printed after `cursor`; "" for all of it. Nothing where it is gone."""
    query: dict[str, object] = {"stdout": 1, "stderr": 1, "timestamps": 1}
    if cursor:
        query["since"] = unix_time(cursor)
    path = f"/containers/{engine.handle}/logs?{urllib.parse.urlencode(query)}"
    data = system.fetch(DOCKER_SOCKET, path)
    found = frames.parse_lines(data or b"", engine.has_terminal)
    return [line for line in found if line.cursor > cursor]


def memory_bytes(system: System, engine: Engine) -> int | None:
    """What its control group holds, the page cache of the weights that it reads included."""
    found = get(system, f"/containers/{engine.handle}/stats?stream=false&one-shot=true")
    usage = as_mapping(as_mapping(found).get("memory_stats")).get("usage")
    return int(usage) if usage is not None else None


def stop(system: System, engine: Engine) -> None:
    """Gone when this returns. Raises Refusal where Docker cannot do it."""
    try:
        send(system, "POST", f"/containers/{engine.handle}/stop?t={STOP_GRACE_S}", timeout_s=20)
    except StepError as refusal:
        if GONE_IS_FINE not in str(refusal):
            raise


def unix_time(cursor: str) -> str:
    """
    >>> unix_time("2025-11-21T11:05:20.123456789Z")
    '1763723120.123456789'
    """
    whole, _, rest = cursor.partition(".")
    seconds = calendar.timegm(time.strptime(whole.rstrip("Z"), "%Y-%m-%dT%H:%M:%S"))
    return f"{seconds}.{rest.rstrip('Z') or '0'}"
