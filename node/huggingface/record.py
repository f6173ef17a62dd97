"""What was verified of a model, so that a look need not read it again: sizes and times of files.

A record lies on the node for each model that a step has brought or found whole. A file whose size
or time differs from it has changed since, and is read and compared again by the next apply.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from node.changes import file
from node.host.paths import VERIFIED
from node.host.plain import mapping
from node.host.system import System
from node.huggingface import cache
from node.state.manifest import Journal


@dataclass(frozen=True)
class Part:
    """One file: where it lies below the model's folder, and what it must be."""

    place: str
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True)
class Record:
    """`revision` is what was asked for, `parts` by the model's own file names."""

    handle: str
    root: str
    revision: str
    commit: str
    parts: Mapping[str, Part]

    @property
    def bytes(self) -> int:
        return sum(part.size for part in self.parts.values())


def path_of(handle: str) -> str:
    return f"{VERIFIED}/{cache.slug(handle)}.json"


def write(journal: Journal, record: Record) -> None:
    text = json.dumps(asdict(record), sort_keys=True) + "\n"
    if journal.system.read(path_of(record.handle)) != text:
        file.write(journal, file.Change(path_of(record.handle), text))


def read(system: System, handle: str) -> Record | None:
    return _parse(system.read(path_of(handle)))


def read_all(system: System) -> list[Record]:
    names = [name for name in system.names(VERIFIED) if not name.startswith(".")]
    found = (_parse(system.read(f"{VERIFIED}/{name}")) for name in names)
    return [record for record in found if record]


def changed(system: System, record: Record) -> list[str]:
    """The model's files that are not as they were when they were verified."""
    top = cache.snapshot(record.root, record.commit)
    return [
        name
        for name, part in record.parts.items()
        if _seen(system, f"{top}/{name}") != (part.size, part.mtime_ns)
    ]


def _seen(system: System, path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(system.path(path))
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _parse(text: str | None) -> Record | None:
    try:
        stored = mapping(json.loads(text or ""))
        parts = {name: Part(**part) for name, part in stored.pop("parts").items()}
        return Record(parts=parts, **stored)
    except (ValueError, KeyError, TypeError):
        return None
