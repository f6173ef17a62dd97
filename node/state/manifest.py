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
class Entry:
    """One line: which step, for whom, did what kind of thing to which subject, with what facts."""

    step: str
    owner: str
    kind: str
    subject: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Journal:
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
        torn = (self.system.read(MANIFEST) or "\n")[-1] != "\n"
        self.system.append(MANIFEST, ("\n" if torn else "") + json.dumps(line) + "\n")

    def of(self, kind: str, subject: str) -> list[Entry]:
        """What this step recorded of one subject, oldest first."""
        return [
            entry
            for entry in read(self.system)
            if (entry.step, entry.kind, entry.subject) == (self.step, kind, subject)
        ]

    def all(self, kind: str) -> list[Entry]:
        return [
            entry for entry in read(self.system) if (entry.step, entry.kind) == (self.step, kind)
        ]


def read(system: System) -> list[Entry]:
    """All entries that are not undone, oldest first. A line that a power cut tore counts for none:
    its change was not made, because a change waits until its line is on the disk."""
    entries: list[Entry] = []
    for line in (system.read(MANIFEST) or "").splitlines():
        entry = _parse(line)
        if entry is None:
            continue
        if entry.kind == CLOSED:
            entries = [earlier for earlier in entries if earlier.step != entry.step]
        else:
            entries.append(entry)
    return entries


def owner_of(entries: Sequence[Entry], step: str) -> str | None:
    """Who applied the step last: a renamed node's new name takes over what the old one made."""
    owners = [entry.owner for entry in entries if entry.step == step]
    return owners[-1] if owners else None


def _parse(line: str) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
