"""Records of verified models: sizes and times of files, so that they need not be read again.

The node has a record of each model that a step has downloaded, received or found complete. A file
with another size or time has changed since, and the next apply reads and compares it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from node.changes import file
from node.host.paths import VERIFIED_MODELS
from node.host.system import System
from node.host.typed_json import parse, to_json
from node.huggingface import cache
from node.state.manifest import Manifest


@dataclass(frozen=True)
class VerifiedFile:
    """One file: its path below the model's folder, and what it must be."""

    path: str
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True)
class ModelRecord:
    """`revision` is the declared one or the main branch; `files` by the model's own file names."""

    handle: str
    root: str
    revision: str
    commit: str
    files: Mapping[str, VerifiedFile]

    @property
    def bytes(self) -> int:
        return sum(part.size for part in self.files.values())


def get_record_path(handle: str) -> str:
    return f"{VERIFIED_MODELS}/{cache.to_slug(handle)}.json"


def write_record(manifest: Manifest, record: ModelRecord) -> None:
    text = json.dumps(to_json(record), sort_keys=True) + "\n"
    if manifest.system.read(get_record_path(record.handle)) != text:
        file.write(manifest, file.FileChange(get_record_path(record.handle), text))


def read_record(system: System, handle: str) -> ModelRecord | None:
    return _parse_record(system.read(get_record_path(handle)))


def list_records(system: System) -> list[ModelRecord]:
    names = [name for name in system.list_names(VERIFIED_MODELS) if not name.startswith(".")]
    records = (_parse_record(system.read(f"{VERIFIED_MODELS}/{name}")) for name in names)
    return [record for record in records if record]


def list_changed_files(system: System, record: ModelRecord) -> list[str]:
    """The model's files that have changed since they were verified."""
    top = cache.get_snapshot_folder(record.root, record.commit)
    return [
        name
        for name, file in record.files.items()
        if _read_size_and_time(system, f"{top}/{name}") != (file.size, file.mtime_ns)
    ]


def _read_size_and_time(system: System, path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(system.path(path))
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _parse_record(text: str | None) -> ModelRecord | None:
    try:
        return parse(ModelRecord, json.loads(text or ""), "record")
    except ValueError:
        return None
