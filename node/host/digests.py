"""Whether a file's bytes are what they should be: by sha256, or as git names a text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHA256, GIT = "sha256", "git"
CHUNK_BYTES = 4 * 1024 * 1024
# Hashing gives up Python's lock; more readers than this only fight for the disk.
READERS = 4
Told = Callable[[int], None]


def named_by(place: str) -> str | None:
    """The digest that the name of a blob in a cache promises; None for any other name.

    >>> named_by("blobs/" + 40 * "a") == "git:" + 40 * "a"
    True
    >>> named_by("snapshots/x/config.json")
    """
    name = place.rpartition("/")[2]
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return f"{SHA256}:{name}"
    return f"{GIT}:{name}" if re.fullmatch(r"[0-9a-f]{40}", name) else None


def begun(digest: str, size: int) -> hashlib._Hash:
    """The hash to feed a file of that size to. git puts a head before the text."""
    if digest.startswith(f"{GIT}:"):
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.sha256()


def of(path: Path, kind: str, told: Told = lambda size: None) -> str:
    """`kind` is a digest of the wanted kind, or the kind alone. `told` gets bytes read."""
    found = begun(f"{kind}:", path.stat().st_size)
    with path.open("rb") as file:
        for chunk in chunks(file.read):
            found.update(chunk)
            told(len(chunk))
    return f"{kind.partition(':')[0]}:{found.hexdigest()}"


def chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := read(CHUNK_BYTES):
        yield chunk


def wrong(root: Path, expected: Mapping[str, str], told: Told) -> list[str]:
    """Of these places below `root`, those whose bytes have another digest, or are not there."""

    def is_right(place: str) -> bool:
        digest = expected[place]
        try:
            return of(root / place, digest.partition(":")[0], told) == digest
        except FileNotFoundError:
            return False

    places = list(expected)
    with ThreadPoolExecutor(READERS) as readers:
        right: Iterable[bool] = list(readers.map(is_right, places))
    return [place for place, good in zip(places, right, strict=True) if not good]
