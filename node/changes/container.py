"""A container that Pulumi starts under a name of ours. Recorded before, so that one of a killed run
goes with its step, too."""

from __future__ import annotations

from collections.abc import Sequence

from node.host import docker_api, docker_query
from node.host.labels import OWNER
from node.host.plain import as_mapping
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "container"


def record(manifest: Manifest, name: str) -> None:
    if not manifest.list_for(KIND, name):
        manifest.record(KIND, name)


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
