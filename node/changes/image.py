"""A name of an image that a step brought; undo takes it back unless something uses the image."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from node.host.docker_api import message
from node.host.paths import DOCKER_SOCKET
from node.host.system import Answer
from node.images import docker_images, reference
from node.state.manifest import Entry, Journal

KIND = "image"
REMOVE_LIMIT_S = 120.0


def remember(journal: Journal, name: str) -> None:
    """Recorded before the name leads to what the step brings; with the image that it led to."""
    if not journal.of(KIND, name):
        journal.record(KIND, name, before=docker_images.identity(journal.system, name))


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    name, before = entries[0].subject, entries[0].facts["before"]
    now = docker_images.identity(journal.system, name)
    if now in (None, before):
        return []
    if before is None:
        return [_remove(journal, name, name)]
    return [_give_back(journal, name, before), _remove(journal, str(now), f"{name} of ours")]


def _give_back(journal: Journal, name: str, before: str) -> str:
    """Let the name lead to the image that it led to, if somebody has not removed that."""
    parts = reference.parse(name)
    query = urlencode({"repo": parts.repository, "tag": parts.version})
    answer = _ask(journal, "POST", f"/images/{before}/tag?{query}")
    if not answer.ok:
        return f"image {name}: not what it was, because Docker says: {message(answer.body)}"
    return f"image {name}: put back"


def _remove(journal: Journal, what: str, called: str) -> str:
    answer = _ask(journal, "DELETE", f"/images/{quote(what, safe='/:@')}")
    if not answer.ok:
        return f"image {called}: left, because Docker says: {message(answer.body)}"
    return f"image {called}: removed"


def _ask(journal: Journal, method: str, path: str) -> Answer:
    return journal.system.ask(DOCKER_SOCKET, method, path, timeout_s=REMOVE_LIMIT_S)
