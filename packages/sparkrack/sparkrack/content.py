"""Content hashes: what names an image, so that the same content is never built twice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


def hash_parts(parts: Iterable[bytes]) -> str:
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(len(part).to_bytes(8) + part)
    return hasher.hexdigest()[:16]


def list_tree_parts(folder: Path) -> list[bytes]:
    """Name, mode and bytes of each file below a folder: everything that an image takes from it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return [
        f"{path.relative_to(folder)} {path.lstat().st_mode:o} ".encode()
        + (os.readlink(path).encode() if path.is_symlink() else path.read_bytes())
        for path in files
        if "__pycache__" not in path.parts
    ]
