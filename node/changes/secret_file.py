"""A file with a secret. No copy of it and no digest is kept, so it goes whatever is in it."""

from __future__ import annotations

from collections.abc import Sequence

from node.changes import directory
from node.state.manifest import Entry, Journal

KIND = "secret_file"
FOLDER_MODE = 0o700


def write(journal: Journal, path: str, text: str, mode: int) -> None:
    """Root's alone, in a folder that is root's alone."""
    claim(journal, path)
    journal.system.write(path, text, mode, (0, 0))


def claim(journal: Journal, path: str) -> None:
    """Say that the file will be ours, before it is made."""
    directory.ensure(journal, path.rpartition("/")[0], FOLDER_MODE, 0, 0)
    if not journal.of(KIND, path):
        journal.record(KIND, path)


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    path = entries[0].subject
    journal.system.drop_draft(path)
    if journal.system.state(path) is None:
        return []
    journal.system.remove(path)
    return [f"{path}: removed"]
