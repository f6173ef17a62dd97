"""A symbolic link of our own, such as the one that starts a unit at boot."""

from __future__ import annotations

from collections.abc import Sequence

from node.changes import action, directory
from node.state.manifest import Entry, Journal

KIND = "symlink"


def ensure(journal: Journal, path: str, target: str) -> list[str]:
    if journal.system.link_target(path) == target:
        return []
    directory.make_parents(journal, path)
    journal.record(KIND, path, target=target)
    journal.system.remove(path)
    journal.system.link(path, target)
    return [f"{path}: linked to {target}"]


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    path = entries[0].subject
    found = journal.system.link_target(path)
    if found is None:
        return []
    if found != entries[-1].facts["target"]:
        return [f"{path}: left, because others point it at {found}"]
    action.mark_all(journal)
    journal.system.remove(path)
    return [f"{path}: removed"]
