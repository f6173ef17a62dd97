"""A file: its first state is kept, and comes back whole unless others wrote to it meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.changes import action, directory
from node.files import Reverted, json_keys, lines, yaml_blocks
from node.host.paths import BACKUPS
from node.host.system import FileState, System
from node.state.manifest import Manifest, ManifestEntry

KIND = "file"

# Whole: a file with a name of our own, which goes whatever is in it.
WHOLE, JSON, LINES, YAML = "whole", "json", "lines", "yaml"
UNMERGE_BY_FORMAT: Mapping[str, Any] = {
    JSON: json_keys.revert_edits,
    LINES: lines.revert_edits,
    YAML: yaml_blocks.revert_edits,
}


@dataclass(frozen=True)
class FileChange:
    """A text to write, the mode of a file that is new, and which edits in it are ours."""

    path: str
    text: str
    mode: int = 0o644
    format: str = WHOLE
    edits: Sequence[Mapping[str, Any]] = ()


def compute_digest(text: str | None) -> str | None:
    """sha256 of the bytes; None for a file that is not there."""
    if text is None:
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def write(manifest: Manifest, change: FileChange) -> None:
    """Record and write. Mode and owner of a file that is there stay as they are."""
    system = manifest.system
    old_text, state = system.read(change.path), system.get_state(change.path)
    directory.make_parents(manifest, change.path)
    manifest.record(
        KIND,
        change.path,
        before=_back_up(system, old_text, state),
        found=compute_digest(old_text),
        wrote=compute_digest(change.text),
        format=change.format,
        edits=list(change.edits),
    )
    mode = state.mode if state else change.mode
    owner = (state.uid, state.gid) if state else None
    system.write(change.path, change.text, mode, owner)


def ensure(manifest: Manifest, path: str, text: str) -> list[str]:
    """A whole file of our own with this text; a line if it had another."""
    if manifest.system.read(path) == text:
        return []
    write(manifest, FileChange(path, text))
    return [f"{path}: written"]


def _back_up(system: System, text: str | None, state: FileState | None) -> dict[str, object] | None:
    """Keep the bytes under their own digest: no later backup can overwrite them."""
    if text is None or state is None:
        return None
    if system.get_state(BACKUPS) is None:
        system.make_directory(BACKUPS, 0o700)
    backup = f"{BACKUPS}/{compute_digest(text)}"
    if system.read(backup) is None:
        system.write(backup, text, 0o600)
    return {"backup": backup, "mode": state.mode, "uid": state.uid, "gid": state.gid}


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    path = entries[0].subject
    manifest.system.drop_draft(path)
    current = manifest.system.read(path)
    if compute_digest(current) == entries[0].facts["found"]:
        return []
    if is_unchanged_by_others(entries, compute_digest(current)):
        return _restore(manifest, path, entries[0].facts["before"])
    return _remove_our_edits(manifest, path, current, entries)


def is_unchanged_by_others(entries: Sequence[ManifestEntry], current: str | None) -> bool:
    """Whether nobody else wrote to the file since our first look at it. Pure.

    Each time, we found what we had left before; a killed write leaves the older of two states.
    """
    known_digests = {entries[0].facts["found"]}
    for entry in entries:
        if entry.facts["found"] not in known_digests:
            return False
        known_digests.add(entry.facts["wrote"])
    return current in known_digests


def _restore(manifest: Manifest, path: str, original: Mapping[str, Any] | None) -> list[str]:
    action.mark_all_due(manifest)
    if original is None:
        manifest.system.remove(path)
        return [f"{path}: removed"]
    text = manifest.system.read(original["backup"])
    if text is None:
        return [f"{path}: kept as it is: backup {original['backup']} is missing"]
    manifest.system.write(path, text, original["mode"], (original["uid"], original["gid"]))
    return [f"{path}: restored"]


def _remove_our_edits(
    manifest: Manifest, path: str, current: str | None, entries: Sequence[ManifestEntry]
) -> list[str]:
    newest, original = entries[-1].facts, entries[0].facts["before"]
    if newest["format"] == WHOLE or current is None:
        return _undo_whole_file(manifest, path, current, original)
    edits = [edit for entry in entries for edit in entry.facts["edits"]]
    unmerged: Reverted = UNMERGE_BY_FORMAT[newest["format"]](current, edits)
    messages = []
    if unmerged.text != current:
        action.mark_all_due(manifest)
        _write_remainder(manifest.system, path, unmerged.text, original is not None)
        messages = [f"{path}: our entries removed; other changes kept"]
    return messages + [f"{path}: {name} kept, changed by others" for name in unmerged.changed]


def _undo_whole_file(
    manifest: Manifest, path: str, current: str | None, original: Mapping[str, Any] | None
) -> list[str]:
    if current is None:
        return [f"{path}: already removed by others"]
    if original is not None:
        return [f"{path}: kept: rewritten by others"]
    action.mark_all_due(manifest)
    manifest.system.remove(path)
    return [f"{path}: removed, including changes by others"]


def _write_remainder(system: System, path: str, text: str | None, existed: bool) -> None:
    state = system.get_state(path)
    if text is None and not existed:
        system.remove(path)
    elif state is not None:
        system.write(path, text or "", state.mode, (state.uid, state.gid))
