"""A file: its first state is kept, and comes back whole unless others wrote to it meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.changes import action, directory
from node.files import Unmerged, json_keys, lines, yaml_blocks
from node.host.paths import BACKUPS
from node.host.system import FileState, System
from node.state.manifest import Entry, Journal

KIND = "file"

# Whole: a file with a name of our own, which goes whatever is in it.
WHOLE, JSON, LINES, YAML = "whole", "json", "lines", "yaml"
UNMERGE: Mapping[str, Any] = {
    JSON: json_keys.unmerge,
    LINES: lines.unmerge,
    YAML: yaml_blocks.unmerge,
}


@dataclass(frozen=True)
class Change:
    """A text to write, the mode of a file that is new, and which edits in it are ours."""

    path: str
    text: str
    mode: int = 0o644
    format: str = WHOLE
    edits: Sequence[Mapping[str, Any]] = ()


def digest(text: str | None) -> str | None:
    """sha256 of the bytes; None for a file that is not there."""
    if text is None:
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def write(journal: Journal, change: Change) -> None:
    """Record and write. Mode and owner of a file that is there stay as they are."""
    system = journal.system
    found, state = system.read(change.path), system.state(change.path)
    directory.make_parents(journal, change.path)
    journal.record(
        KIND,
        change.path,
        before=_keep(system, found, state),
        found=digest(found),
        wrote=digest(change.text),
        format=change.format,
        edits=list(change.edits),
    )
    mode = state.mode if state else change.mode
    owner = (state.uid, state.gid) if state else None
    system.write(change.path, change.text, mode, owner)


def _keep(system: System, text: str | None, state: FileState | None) -> dict[str, object] | None:
    """Keep the bytes under their own digest: no later backup can overwrite them."""
    if text is None or state is None:
        return None
    if system.state(BACKUPS) is None:
        system.make_directory(BACKUPS, 0o700)
    name = f"{BACKUPS}/{digest(text)}"
    if system.read(name) is None:
        system.write(name, text, 0o600)
    return {"backup": name, "mode": state.mode, "uid": state.uid, "gid": state.gid}


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    path = entries[0].subject
    journal.system.drop_draft(path)
    current = journal.system.read(path)
    if digest(current) == entries[0].facts["found"]:
        return []
    if is_ours(entries, digest(current)):
        return _restore(journal, path, entries[0].facts["before"])
    return _take_out_ours(journal, path, current, entries)


def is_ours(entries: Sequence[Entry], current: str | None) -> bool:
    """Whether nobody else wrote to the file since our first look at it. Pure.

    Each time, we found what we had left before; a killed write leaves the older of two states.
    """
    known = {entries[0].facts["found"]}
    for entry in entries:
        if entry.facts["found"] not in known:
            return False
        known.add(entry.facts["wrote"])
    return current in known


def _restore(journal: Journal, path: str, before: Mapping[str, Any] | None) -> list[str]:
    action.mark_all(journal)
    if before is None:
        journal.system.remove(path)
        return [f"{path}: removed"]
    text = journal.system.read(before["backup"])
    if text is None:
        return [f"{path}: left as it is, because its backup {before['backup']} is gone"]
    journal.system.write(path, text, before["mode"], (before["uid"], before["gid"]))
    return [f"{path}: put back"]


def _take_out_ours(
    journal: Journal, path: str, current: str | None, entries: Sequence[Entry]
) -> list[str]:
    last, before = entries[-1].facts, entries[0].facts["before"]
    if last["format"] == WHOLE or current is None:
        return _undo_whole(journal, path, current, before)
    edits = [edit for entry in entries for edit in entry.facts["edits"]]
    rest: Unmerged = UNMERGE[last["format"]](current, edits)
    done = []
    if rest.text != current:
        action.mark_all(journal)
        _leave(journal.system, path, rest.text, before is not None)
        done = [f"{path}: taken out what is ours; the rest was changed by others and stays"]
    return done + [f"{path}: left {name}, which others changed" for name in rest.left]


def _undo_whole(
    journal: Journal, path: str, current: str | None, before: Mapping[str, Any] | None
) -> list[str]:
    if current is None:
        return [f"{path}: left away, because others removed it"]
    if before is not None:
        return [f"{path}: left as it is, because others rewrote it"]
    action.mark_all(journal)
    journal.system.remove(path)
    return [f"{path}: removed, with what others had changed in it"]


def _leave(system: System, path: str, text: str | None, was_there: bool) -> None:
    state = system.state(path)
    if text is None and not was_there:
        system.remove(path)
    elif state is not None:
        system.write(path, text or "", state.mode, (state.uid, state.gid))
