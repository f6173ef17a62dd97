"""A directory tree of our own making, such as a virtual environment: at undo it goes whole.

What is in it was made by tools (pip), so no file of it is recorded. It may only come to be where
nothing was: a folder that others made is never ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.changes import directory
from node.errors import Refusal
from node.host.system import System
from node.state.manifest import Entry, Journal

KIND = "tree"


def make(journal: Journal, path: str) -> None:
    """An empty folder, or what an earlier run of this step left of it. Raises Refusal."""
    if not journal.of(KIND, path):
        _require_absent(journal.system, path)
        directory.make_parents(journal, path)
        journal.record(KIND, path)
    journal.system.make_directory(path, 0o755)


def remember(journal: Journal, path: str) -> None:
    """The folder is ours, and comes later. Raises Refusal where somebody else has put one there."""
    if not journal.of(KIND, path):
        _require_absent(journal.system, path)
        journal.record(KIND, path)


def drop_others(journal: Journal, kept: str) -> list[str]:
    """Remove the trees that this step made earlier and that `kept` replaces."""
    old = dict.fromkeys(entry.subject for entry in journal.all(KIND))
    return [line for path in old if path != kept for line in remove(journal.system, path)]


def remove(system: System, path: str) -> list[str]:
    if system.state(path) is None:
        return []
    system.remove_tree(path)
    return [f"{path}: removed"]


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    return remove(journal.system, entries[0].subject)


def _require_absent(system: System, path: str) -> None:
    if system.state(path) is not None:
        raise Refusal(f"{path} was made by others and is left as it is; move it away first.")
