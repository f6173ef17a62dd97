"""A Hugging Face cache as it lies on the disk (huggingface_hub, guides/manage-cache).

models--OWNER--NAME/refs/main                 a commit
models--OWNER--NAME/snapshots/COMMIT/a.json   a link to ../../blobs/ETAG
models--OWNER--NAME/blobs/ETAG                the sha256 of a large file, git's sha1 of another
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from node.host.system import System

COMMIT = re.compile(r"[0-9a-f]{40}")
UNFINISHED = ".incomplete"


@dataclass(frozen=True)
class CachedFile:
    """`name` as the model's own, `place` below the model's folder; sizes in bytes."""

    name: str
    place: str
    size: int
    mtime_ns: int


def folder(cache: str, handle: str) -> str:
    """
    >>> folder("/models/hub", "Qwen/Qwen3-8B")
    '/models/hub/models--Qwen--Qwen3-8B'
    """
    return f"{cache}/models--{slug(handle)}"


def slug(handle: str) -> str:
    return handle.replace("/", "--")


def commit_of(system: System, root: str, revision: str) -> str | None:
    """The commit that a branch, a tag or a commit names here."""
    if COMMIT.fullmatch(revision):
        return revision
    found = (system.read(f"{root}/refs/{revision}") or "").strip()
    return found if COMMIT.fullmatch(found) else None


def snapshot(root: str, commit: str) -> str:
    return f"{root}/snapshots/{commit}"


def files(system: System, root: str, commit: str) -> list[CachedFile]:
    """What a snapshot holds, by name. A link that leads nowhere is left out."""
    top = snapshot(root, commit)
    found = (_cached(system, root, top, name) for name in _names(system, top))
    return sorted((one for one in found if one), key=lambda one: one.name)


def dangling(system: System, root: str, commit: str) -> list[str]:
    """Links of a snapshot that lead nowhere: files that are still to come."""
    top = system.path(snapshot(root, commit))
    return [
        name for name in _names(system, snapshot(root, commit)) if not os.path.exists(top / name)
    ]


def is_fetching(system: System, root: str) -> bool:
    """Whether some file has begun to come and is not whole."""
    return any(name.endswith(UNFINISHED) for name in system.names(f"{root}/blobs"))


def name_commit(system: System, root: str, revision: str, commit: str) -> None:
    """Let a branch or tag name a commit, as the client does for the one that it was asked for."""
    if not COMMIT.fullmatch(revision) and commit_of(system, root, revision) != commit:
        found = system.state(root)
        owner = (found.uid, found.gid) if found else None
        system.write(f"{root}/refs/{revision}", commit, owner=owner)


def _names(system: System, top: str) -> Iterator[str]:
    root = str(system.path(top))
    for place, _, names in os.walk(root):
        for name in names:
            yield os.path.relpath(f"{place}/{name}", root)


def _cached(system: System, root: str, top: str, name: str) -> CachedFile | None:
    base = os.path.realpath(system.path(root))
    real = os.path.realpath(system.path(f"{top}/{name}"))
    try:
        found = os.stat(real)
    except FileNotFoundError:
        return None
    return CachedFile(name, os.path.relpath(real, base), found.st_size, found.st_mtime_ns)
