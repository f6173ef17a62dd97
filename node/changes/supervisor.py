"""The supervisor of a service; undo ends it before anything that it would start again."""

from __future__ import annotations

from collections.abc import Sequence

from node.ranks.supervisors import end_supervisor
from node.state.manifest import Manifest, ManifestEntry

KIND = "supervisor"


def record(manifest: Manifest, service: str) -> None:
    if not manifest.list_for(KIND, service):
        manifest.record(KIND, service)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    return end_supervisor(manifest.system, entries[0].subject)
