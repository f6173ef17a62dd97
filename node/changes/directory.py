"""A directory that we made, or whose mode or owner we changed. Never removed with things in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import PurePosixPath

from node.host.system import FileState
from node.state.manifest import Entry, Journal

KIND = "directory"


def make_parents(journal: Journal, path: str) -> None:
    """Make what is missing above a path, each directory recorded."""
    parents = [str(parent) for parent in PurePosixPath(path).parents]
    for parent in reversed(parents):
        if journal.system.state(parent) is None:
            journal.record(KIND, parent, before=None, made=None)
            journal.system.make_directory(parent, 0o755)


def ensure(journal: Journal, path: str, mode: int, uid: int, gid: int) -> list[str]:
    """Make the directory or give it that mode and owner; nothing where it is so."""
    make_parents(journal, path)
    found, want = journal.system.state(path), FileState(mode, uid, gid, True)
    if found == want:
        return []
    before = asdict(found) if found else None
    journal.record(KIND, path, before=before, made=asdict(want))
    if found is None:
        journal.system.make_directory(path, mode)
    journal.system.own(path, mode, uid, gid)
    return [f"{path}: mode {mode:o}, owner {uid}:{gid}"]


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    path, before = entries[0].subject, entries[0].facts["before"]
    found = journal.system.state(path)
    if found is None:
        return []
    if before is None:
        return _remove(journal, path)
    ours = [entry.facts["made"] for entry in entries]
    if asdict(found) == before or asdict(found) not in ours:
        return [] if asdict(found) == before else [f"{path}: left, others changed mode or owner"]
    journal.system.own(path, before["mode"], before["uid"], before["gid"])
    return [f"{path}: mode and owner put back"]


def _remove(journal: Journal, path: str) -> list[str]:
    inside = journal.system.names(path)
    if inside:
        return [f"{path}: left, because {len(inside)} things are in it"]
    journal.system.remove_directory(path)
    return [f"{path}: removed"]
