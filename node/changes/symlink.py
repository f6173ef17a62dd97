"""A symbolic link of our own, such as the one that starts a unit at boot."""

from __future__ import annotations

from collections.abc import Sequence

from node.changes import action, directory
from node.state.manifest import Manifest, ManifestEntry

KIND = "symlink"


def ensure(manifest: Manifest, path: str, target: str) -> list[str]:
    if manifest.system.read_link(path) == target:
        return []
    directory.make_parents(manifest, path)
    manifest.record(KIND, path, target=target)
    manifest.system.remove(path)
    manifest.system.link(path, target)
    return [f"{path}: linked to {target}"]


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    path = entries[0].subject
    current_target = manifest.system.read_link(path)
    if current_target is None:
        return []
    if current_target != entries[-1].facts["target"]:
        return [f"{path}: kept: now points at {current_target}"]
    action.mark_all_due(manifest)
    manifest.system.remove(path)
    return [f"{path}: removed"]
