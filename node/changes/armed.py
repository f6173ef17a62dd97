"""A network change that may still wait for its confirmation: undone, it waits no longer."""

from __future__ import annotations

from collections.abc import Sequence

from node.state import pending_change
from node.state.manifest import Manifest, ManifestEntry

KIND = "armed"


def record(manifest: Manifest) -> None:
    if not manifest.list_all(KIND):
        manifest.record(KIND)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    was_pending = pending_change.read_state(manifest.system) is not None
    pending_change.disarm(manifest.system)
    pending_change.forget_rollback(manifest.system)
    return ["pending network change canceled"] if was_pending else []
