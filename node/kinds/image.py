"""A name of an image that a step brought; undo takes it back unless something uses the image."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from node.docker_engine import message
from node.images import engine
from node.journal import Entry, Journal
from node.places import DOCKER_SOCKET

KIND = "image"
REMOVE_LIMIT_S = 120.0


def remember(journal: Journal, name: str) -> None:
    """Recorded before it is there; a name that is there already is not ours to take."""
    if not journal.of(KIND, name) and engine.identity(journal.system, name) is None:
        journal.record(KIND, name)


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    name = entries[0].subject
    if engine.identity(journal.system, name) is None:
        return []
    path = f"/images/{quote(name, safe='/:@')}"
    answer = journal.system.ask(DOCKER_SOCKET, "DELETE", path, timeout_s=REMOVE_LIMIT_S)
    if not answer.ok:
        return [f"image {name}: left, because Docker says: {message(answer.body)}"]
    return [f"image {name}: removed"]
