"""A named Docker volume of our own: at undo it goes only where the stack said so last."""

from __future__ import annotations

from collections.abc import Sequence

from node.host import docker_api, docker_query
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "volume"


def exists(system: System, name: str) -> bool:
    """Raises DockerUnknown."""
    return docker_query.query(system, f"/volumes/{name}") is not None


def ensure(manifest: Manifest, name: str, *, is_kept: bool) -> list[str]:
    """Make the volume where it is missing. One that is there keeps its data. Raises StepError."""
    entries = manifest.list_for(KIND, name)
    if not entries or entries[-1].facts["is_kept"] != is_kept:
        manifest.record(KIND, name, is_kept=is_kept)
    if exists(manifest.system, name):
        return []
    docker_api.send(manifest.system, "POST", "/volumes/create", {"Name": name})
    return [f"volume {name}: made"]


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    """Raises StepError, also where Docker does not answer: what is unknown is not gone."""
    name = entries[0].subject
    if not exists(manifest.system, name):
        return []
    if entries[-1].facts["is_kept"]:
        return [f"volume {name}: kept"]
    docker_api.send(manifest.system, "DELETE", f"/volumes/{name}")
    return [f"volume {name}: removed"]
