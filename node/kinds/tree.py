"""A directory tree of our own making, such as a virtual environment: at undo it goes whole.

What is in it was made by tools (pip), so no file of it is recorded. It may only come to be where
nothing was: a folder that others made is never ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import Refusal
from node.journal import Entry, Journal
from node.kinds import directory

KIND = "tree"


def make(journal: Journal, path: str) -> None:
    """An empty folder, or what an earlier run of this step left of it. Raises Refusal."""
    if journal.of(KIND, path):
        journal.system.make_directory(path, 0o755)
        return
    if journal.system.state(path) is not None:
        raise Refusal(f"{path} was made by others and is left as it is; move it away first.")
    directory.make_parents(journal, path)
    journal.record(KIND, path)
    journal.system.make_directory(path, 0o755)


def drop_others(journal: Journal, kept: str) -> list[str]:
    """Remove the trees that this step made earlier and that `kept` replaces."""
    old = dict.fromkeys(entry.subject for entry in journal.all(KIND))
    return [line for path in old if path != kept for line in _remove(journal, path)]


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    return _remove(journal, entries[0].subject)


def _remove(journal: Journal, path: str) -> list[str]:
    if journal.system.state(path) is None:
        return []
    journal.system.remove_tree(path)
    return [f"{path}: removed"]
