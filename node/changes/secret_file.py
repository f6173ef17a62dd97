"""A file with a secret. No copy of it and no digest is kept, so it goes whatever is in it."""

from __future__ import annotations

from collections.abc import Sequence

from node.changes import directory
from node.state.manifest import Manifest, ManifestEntry

KIND = "secret_file"
FOLDER_MODE = 0o700


def write(manifest: Manifest, path: str, text: str, mode: int) -> None:
    """Root's alone, in a folder that is root's alone."""
    claim(manifest, path)
    manifest.system.write(path, text, mode, (0, 0))


def claim(manifest: Manifest, path: str) -> None:
    """Say that the file will be ours, before it is made."""
    directory.ensure(manifest, path.rpartition("/")[0], FOLDER_MODE, 0, 0)
    if not manifest.list_for(KIND, path):
        manifest.record(KIND, path)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    path = entries[0].subject
    manifest.system.drop_draft(path)
    if manifest.system.get_state(path) is None:
        return []
    manifest.system.remove(path)
    return [f"{path}: removed"]
