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
    """`name` is the model's own, `path` lies below the model's folder; size in bytes."""

    name: str
    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class ModelLocation:
    """A model in the cache `cache`, whose files belong to `user`."""

    handle: str
    cache: str
    user: str

    @property
    def root(self) -> str:
        return get_model_folder(self.cache, self.handle)


def get_model_folder(cache: str, handle: str) -> str:
    """
    >>> get_model_folder("/models/hub", "Qwen/Qwen3-8B")
    '/models/hub/models--Qwen--Qwen3-8B'
    """
    return f"{cache}/models--{to_slug(handle)}"


def to_slug(handle: str) -> str:
    return handle.replace("/", "--")


def resolve_commit(system: System, root: str, revision: str) -> str | None:
    """The commit that a branch, a tag or a commit names in this cache."""
    if COMMIT.fullmatch(revision):
        return revision
    commit = (system.read(f"{root}/refs/{revision}") or "").strip()
    return commit if COMMIT.fullmatch(commit) else None


def get_snapshot_folder(root: str, commit: str) -> str:
    return f"{root}/snapshots/{commit}"


def list_files(system: System, root: str, commit: str) -> list[CachedFile]:
    """The files of a snapshot, by name. Dangling links are left out."""
    top = get_snapshot_folder(root, commit)
    cached = (_read_cached_file(system, root, top, name) for name in _walk_names(system, top))
    return sorted((file for file in cached if file), key=lambda file: file.name)


def list_dangling_links(system: System, root: str, commit: str) -> list[str]:
    """Dangling links of a snapshot: files that have not arrived."""
    top = system.path(get_snapshot_folder(root, commit))
    return [
        name
        for name in _walk_names(system, get_snapshot_folder(root, commit))
        if not os.path.exists(top / name)
    ]


def write_ref(system: System, root: str, revision: str, commit: str) -> None:
    """Write the commit of a branch or tag, as the client does for what it downloads."""
    if not COMMIT.fullmatch(revision) and resolve_commit(system, root, revision) != commit:
        folder_state = system.get_state(root)
        owner = (folder_state.uid, folder_state.gid) if folder_state else None
        system.write(f"{root}/refs/{revision}", commit, owner=owner)


def _walk_names(system: System, top: str) -> Iterator[str]:
    root = str(system.path(top))
    for folder_path, _, names in os.walk(root):
        for name in names:
            yield os.path.relpath(f"{folder_path}/{name}", root)


def _read_cached_file(system: System, root: str, top: str, name: str) -> CachedFile | None:
    base = os.path.realpath(system.path(root))
    target = os.path.realpath(system.path(f"{top}/{name}"))
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    return CachedFile(name, os.path.relpath(target, base), status.st_size, status.st_mtime_ns)
