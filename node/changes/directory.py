"""A directory that we made, or whose mode or owner we changed. Never removed with things in it.

One that several steps use is recorded by each: the last of them that is undone finds it empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import PurePosixPath

from node.host.system import FileState
from node.state import manifest as manifest_state
from node.state.manifest import Manifest, ManifestEntry

KIND = "directory"


def make_parents(manifest: Manifest, path: str) -> None:
    """Make what is missing above a path, each directory recorded."""
    parents = [str(parent) for parent in PurePosixPath(path).parents]
    _record_shared(manifest, parents)
    for parent in reversed(parents):
        if manifest.system.get_state(parent) is None:
            manifest.record(KIND, parent, before=None, made=None)
            manifest.system.make_directory(parent, 0o755)


def ensure(manifest: Manifest, path: str, mode: int, uid: int, gid: int) -> list[str]:
    """Make the directory or give it that mode and owner; nothing where it is so."""
    make_parents(manifest, path)
    current, want = manifest.system.get_state(path), FileState(mode, uid, gid, True)
    if current == want:
        _record_shared(manifest, [path])
        return []
    original = asdict(current) if current else None
    manifest.record(KIND, path, before=original, made=asdict(want))
    if current is None:
        manifest.system.make_directory(path, mode)
    manifest.system.set_owner(path, mode, uid, gid)
    return [f"{path}: mode {mode:o}, owner {uid}:{gid}"]


def _record_shared(manifest: Manifest, paths: Sequence[str]) -> None:
    """Record the directories among `paths` that another step has made and this one now uses."""
    entries = [
        entry
        for entry in manifest_state.read(manifest.system)
        if entry.kind == KIND and entry.subject in paths and entry.facts["before"] is None
    ]
    ours = {entry.subject for entry in entries if entry.step == manifest.step}
    for path in dict.fromkeys(entry.subject for entry in entries):
        if path not in ours and manifest.system.get_state(path) is not None:
            manifest.record(KIND, path, before=None, made=None)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    path, original = entries[0].subject, entries[0].facts["before"]
    current = manifest.system.get_state(path)
    if current is None:
        return []
    if original is None:
        return _remove_if_empty(manifest, path)
    our_states = [entry.facts["made"] for entry in entries]
    if asdict(current) == original or asdict(current) not in our_states:
        return (
            []
            if asdict(current) == original
            else [f"{path}: kept: mode or owner changed by others"]
        )
    manifest.system.set_owner(path, original["mode"], original["uid"], original["gid"])
    return [f"{path}: mode and owner restored"]


def _remove_if_empty(manifest: Manifest, path: str) -> list[str]:
    contents = manifest.system.list_names(path)
    if contents:
        return [f"{path}: kept: not empty ({len(contents)} inside)"]
    manifest.system.remove_directory(path)
    return [f"{path}: removed"]
