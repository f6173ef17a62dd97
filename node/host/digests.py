"""Digests of files: by sha256, or as git names a blob; and files whose digest is another."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHA256, GIT = "sha256", "git"
CHUNK_BYTES = 4 * 1024 * 1024
# Hashing releases the interpreter lock; more readers than this only compete for the disk.
READERS = 4
ProgressCallback = Callable[[int], None]


def parse_blob_digest(path: str) -> str | None:
    """The digest that the name of a blob in a cache promises; None for any other name.

    >>> parse_blob_digest("blobs/" + 40 * "a") == "git:" + 40 * "a"
    True
    >>> parse_blob_digest("snapshots/x/config.json")
    """
    name = path.rpartition("/")[2]
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return f"{SHA256}:{name}"
    return f"{GIT}:{name}" if re.fullmatch(r"[0-9a-f]{40}", name) else None


def new_hash(digest: str, size: int) -> hashlib._Hash:
    """A hash that a file of that size is fed to. git puts a header before the content."""
    if digest.startswith(f"{GIT}:"):
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.sha256()


def hash_file(path: Path, kind: str, on_bytes: ProgressCallback = lambda size: None) -> str:
    """`kind`: a digest of that kind, or the kind alone. `on_bytes` gets the count of each chunk."""
    hasher = new_hash(f"{kind}:", path.stat().st_size)
    with path.open("rb") as file:
        for chunk in read_chunks(file.read):
            hasher.update(chunk)
            on_bytes(len(chunk))
    return f"{kind.partition(':')[0]}:{hasher.hexdigest()}"


def read_chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := read(CHUNK_BYTES):
        yield chunk


def find_mismatches(
    root: Path, expected: Mapping[str, str], on_bytes: ProgressCallback
) -> list[str]:
    """Of these paths below `root`, those with another digest and those that do not exist."""

    def matches_digest(path: str) -> bool:
        digest = expected[path]
        try:
            return hash_file(root / path, digest.partition(":")[0], on_bytes) == digest
        except FileNotFoundError:
            return False

    paths = list(expected)
    with ThreadPoolExecutor(READERS) as readers:
        matches: Iterable[bool] = list(readers.map(matches_digest, paths))
    return [path for path, is_match in zip(paths, matches, strict=True) if not is_match]
