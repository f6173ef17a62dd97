"""A folder that is ours with all that is in it. It was not there before, so undo removes it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from node.errors import Refusal
from node.journal import Entry, Journal
from node.system import System

KIND = "tree"


def remember(journal: Journal, path: str) -> None:
    """Record the folder as ours. Raises Refusal where somebody else has put one there."""
    if journal.of(KIND, path):
        return
    if journal.system.state(path) is not None:
        raise Refusal(f"{path} is there already and not of sparkform; move it away first.")
    journal.record(KIND, path)


def remove(system: System, path: str) -> None:
    if system.state(path) is not None:
        shutil.rmtree(system.path(path))


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    path = entries[0].subject
    if journal.system.state(path) is None:
        return []
    remove(journal.system, path)
    return [f"{path}: removed, with all that is in it"]
