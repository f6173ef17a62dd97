"""A container that Pulumi starts under a name of ours. Recorded before, so that one of a killed run
goes with its step, too. Pulumi sees with a refresh alone that one has stopped; its step sees it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from node.host import docker_api, docker_query
from node.host.labels import OWNER
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "container"
PAUSED = "paused"
STOPPED = ("created", "exited", "dead", PAUSED)
"""Docker's words; one that is "restarting" does so by its own policy."""


def record(manifest: Manifest, name: str) -> None:
    if not manifest.list_for(KIND, name):
        manifest.record(KIND, name)


def list_stopped(system: System) -> tuple[str, ...]:
    """The names of all of ours, ranks included, that are there and do not run. Raises
    DockerUnknown."""
    filters = json.dumps({"label": [OWNER], "status": STOPPED})
    entries = as_list(docker_query.query(system, "/containers/json", all=1, filters=filters))
    names = (as_list(as_mapping(entry).get("Names")) for entry in entries)
    return tuple(sorted(str(entry[0]).lstrip("/") for entry in names if entry))


def select_stopped(stopped: Iterable[str], wanted: Sequence[str]) -> tuple[str, ...] | None:
    """None where none of these has stopped."""
    return tuple(name for name in stopped if name in wanted) or None


def start(system: System, name: str) -> list[str]:
    """Raises StepError."""
    container = as_mapping(docker_query.query(system, f"/containers/{name}/json"))
    is_paused = as_mapping(container.get("State")).get("Status") == PAUSED
    docker_api.send(system, "POST", f"/containers/{name}/{'unpause' if is_paused else 'start'}")
    return [f"container {name}: started"]


def describe_stopped(stopped: Sequence[str] | None) -> list[str]:
    return [f"container {name} does not run, will be started" for name in stopped or ()]


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    """One of that name without our label is another's. Raises StepError, also where Docker does not
    answer: what is unknown is not gone."""
    name = entries[0].subject
    if not _is_ours(manifest.system, name):
        return []
    docker_api.send(manifest.system, "DELETE", f"/containers/{name}?force=true")
    return [f"container {name}: removed"]


def _is_ours(system: System, name: str) -> bool:
    container = as_mapping(docker_query.query(system, f"/containers/{name}/json"))
    return OWNER in as_mapping(as_mapping(container.get("Config")).get("Labels"))
