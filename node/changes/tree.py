"""A directory tree of our own making, such as a virtual environment: at undo it goes whole.

What is in it was made by tools (pip), so no file of it is recorded. It may only come to be where
nothing was: a folder that others made is never ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.changes import directory
from node.errors import StepError
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "tree"


def make(manifest: Manifest, path: str) -> None:
    """An empty folder, or what an earlier run of this step left of it. Raises StepError."""
    if not manifest.list_for(KIND, path):
        _require_absent(manifest.system, path)
        directory.make_parents(manifest, path)
        manifest.record(KIND, path)
    manifest.system.make_directory(path, 0o755)


def record(manifest: Manifest, path: str) -> None:
    """The folder is ours, and comes later. Raises StepError where others have put one there."""
    if not manifest.list_for(KIND, path):
        _require_absent(manifest.system, path)
        manifest.record(KIND, path)


def remove_others(manifest: Manifest, keep: str) -> list[str]:
    """Remove the trees that this step made earlier and that `kept` replaces."""
    paths = dict.fromkeys(entry.subject for entry in manifest.list_all(KIND))
    return [message for path in paths if path != keep for message in remove(manifest.system, path)]


def remove(system: System, path: str) -> list[str]:
    if system.get_state(path) is None:
        return []
    system.remove_tree(path)
    return [f"{path}: removed"]


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    return remove(manifest.system, entries[0].subject)


def _require_absent(system: System, path: str) -> None:
    if system.get_state(path) is not None:
        raise StepError(f"{path} was not made by sparkform and stays as it is; move it away first.")
