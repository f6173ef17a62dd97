"""The manifest: each change to the machine, on the disk before it is made, so that it can go back.

Lines are only ever added. A step's lines count until a `closed` line says that they were undone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from node.host.paths import MANIFEST
from node.host.system import System

CLOSED = "closed"
OWNER = "owner"


@dataclass(frozen=True)
class ManifestEntry:
    """One line: which step, for whom, did what kind of thing to which subject, with what facts."""

    step: str
    owner: str
    kind: str
    subject: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """The manifest as one step writes it."""

    system: System
    step: str
    owner: str

    def record(self, kind: str, subject: str = "", **facts: object) -> None:
        """On the disk when this returns: only then may the change be made."""
        line = {
            "step": self.step,
            "owner": self.owner,
            "kind": kind,
            "subject": subject,
            "facts": facts,
        }
        is_torn = (self.system.read(MANIFEST) or "\n")[-1] != "\n"
        self.system.append(MANIFEST, ("\n" if is_torn else "") + json.dumps(line) + "\n")

    def list_for(self, kind: str, subject: str) -> list[ManifestEntry]:
        """What this step recorded of one subject, oldest first."""
        return [
            entry
            for entry in read(self.system)
            if (entry.step, entry.kind, entry.subject) == (self.step, kind, subject)
        ]

    def list_all(self, kind: str) -> list[ManifestEntry]:
        return [
            entry for entry in read(self.system) if (entry.step, entry.kind) == (self.step, kind)
        ]


def read(system: System) -> list[ManifestEntry]:
    """All entries that are not undone, oldest first. A line that a power cut tore counts for none:
    its change was not made, because a change waits until its line is on the disk."""
    entries: list[ManifestEntry] = []
    for line in (system.read(MANIFEST) or "").splitlines():
        entry = _parse_line(line)
        if entry is None:
            continue
        if entry.kind == CLOSED:
            entries = [earlier for earlier in entries if earlier.step != entry.step]
        else:
            entries.append(entry)
    return entries


def find_owner(entries: Sequence[ManifestEntry], step: str) -> str | None:
    """Who applied the step last: a renamed node's new name takes over what the old one made."""
    owners = [entry.owner for entry in entries if entry.step == step]
    return owners[-1] if owners else None


def _parse_line(line: str) -> ManifestEntry | None:
    try:
        return ManifestEntry(**json.loads(line))
    except (ValueError, TypeError):
        return None
