"""A file with a secret. No copy of it and no digest is kept, so it goes whatever is in it."""

from __future__ import annotations

from collections.abc import Sequence

from node.journal import Entry, Journal
from node.kinds import directory

KIND = "secret_file"
FOLDER_MODE = 0o700


def write(journal: Journal, path: str, text: str, mode: int) -> None:
    """Root's alone, in a folder that is root's alone."""
    folder = path.rpartition("/")[0]
    directory.ensure(journal, folder, FOLDER_MODE, 0, 0)
    if not journal.of(KIND, path):
        journal.record(KIND, path)
    journal.system.write(path, text, mode, (0, 0))


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    path = entries[0].subject
    if journal.system.state(path) is None:
        return []
    journal.system.remove(path)
    return [f"{path}: removed"]
