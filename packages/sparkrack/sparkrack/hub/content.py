"""What a rack's hub holds: repositories as folders, each with a document that describes it.

<folder>/hub.json                      tokens: which token may read which gated repository
<folder>/repos/<owner>/<name>/repo.json   commit, references, gated, files
<folder>/repos/<owner>/<name>/files/…     the files themselves
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

LARGE_BYTES = 10 * 1024 * 1024
"""Files from this size on, and weights, are kept by LFS, which names them by their sha256."""
LARGE_ENDINGS = (".safetensors", ".gguf", ".bin", ".pt")
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class RepositoryFile:
    """`git_oid` is git's own name of the text, `sha256` that of a file kept by LFS."""

    path: str
    size: int
    git_oid: str
    sha256: str | None

    @property
    def etag(self) -> str:
        return self.sha256 or self.git_oid


@dataclass(frozen=True)
class HubRepository:
    """One model at one commit. `references` maps branches and tags to commits."""

    handle: str
    commit: str
    references: dict[str, str]
    gated: bool
    files: tuple[RepositoryFile, ...]

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, a tag or the commit itself names."""
        commit = self.references.get(revision, revision)
        return commit if commit == self.commit else None

    def find_file(self, path: str) -> RepositoryFile | None:
        return next((file for file in self.files if file.path == path), None)


def get_repository_folder(folder: Path, handle: str) -> Path:
    return folder / "repos" / handle


def publish(
    folder: Path, handle: str, source: Path, gated: bool = False, tags: Collection[str] = ()
) -> HubRepository:
    """Put every file below `source` into the hub as one commit, named by its contents."""
    target = get_repository_folder(folder, handle)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target / "files")
    files = tuple(describe_file(path, target / "files") for path in list_files(target / "files"))
    commit = hashlib.sha1(json.dumps([asdict(file) for file in files]).encode()).hexdigest()
    references = dict.fromkeys(["main", *tags], commit)
    (target / "repo.json").write_text(
        json.dumps(asdict(HubRepository(handle, commit, references, gated, files)), indent=1)
    )
    return load(folder, handle) or HubRepository(handle, commit, references, gated, files)


def load(folder: Path, handle: str) -> HubRepository | None:
    try:
        stored = json.loads((get_repository_folder(folder, handle) / "repo.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    files = tuple(RepositoryFile(**fields) for fields in stored.pop("files"))
    return HubRepository(files=files, **stored)


def grant(folder: Path, token: str, handles: Collection[str]) -> None:
    """Let a token read these gated repositories, and be a valid token at all."""
    tokens = read_grants(folder)
    tokens[token] = sorted({*tokens.get(token, []), *handles})
    draft = folder / "hub.json.new"
    draft.write_text(json.dumps({"tokens": tokens}))
    os.replace(draft, folder / "hub.json")


def read_grants(folder: Path) -> dict[str, list[str]]:
    """Handles by token."""
    try:
        grants: dict[str, list[str]] = json.loads((folder / "hub.json").read_text())["tokens"]
    except FileNotFoundError:
        return {}
    return grants


def generate(folder: Path, shards: int, shard_bytes: int) -> None:
    """The files of a model that no engine can load: right names, chosen sizes, random bytes."""
    names = [f"model-{index + 1:05d}-of-{shards:05d}.safetensors" for index in range(shards)]
    index = {"weight_map": {f"layer.{number}": name for number, name in enumerate(names)}}
    texts = {"config.json": {"model_type": "llama"}, "model.safetensors.index.json": index}
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in texts.items():
        (folder / name).write_text(json.dumps(document, indent=1) + "\n")
    for name in names:
        with (folder / name).open("wb") as file:
            for start in range(0, shard_bytes, CHUNK_BYTES):
                file.write(os.urandom(min(CHUNK_BYTES, shard_bytes - start)))


def set_file_sizes(folder: Path, handle: str, size: int) -> None:
    """State this size for each large file of a repository."""
    file = get_repository_folder(folder, handle) / "repo.json"
    stored = json.loads(file.read_text())
    for entry in stored["files"]:
        entry["size"] = size if entry["sha256"] else entry["size"]
    file.write_text(json.dumps(stored, indent=1))


def list_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def describe_file(path: Path, root: Path) -> RepositoryFile:
    """Its size and its two names, as git and as LFS would call it."""
    size = path.stat().st_size
    git, large = hashlib.sha1(b"blob %d\0" % size), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            git.update(chunk)
            large.update(chunk)
    is_large = size >= LARGE_BYTES or path.name.endswith(LARGE_ENDINGS)
    name = path.relative_to(root).as_posix()
    return RepositoryFile(name, size, git.hexdigest(), large.hexdigest() if is_large else None)
