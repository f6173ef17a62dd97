"""A name of an image that a step brought; undo takes it back unless something uses the image."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from node.host.docker_api import get_message
from node.host.paths import DOCKER_SOCKET
from node.host.system import HttpAnswer
from node.images import docker_images, reference
from node.state.manifest import Manifest, ManifestEntry

KIND = "image"
REMOVE_LIMIT_S = 120.0


def record(manifest: Manifest, name: str) -> None:
    """Recorded before the name leads to what the step brings; with the image that it led to."""
    if not manifest.list_for(KIND, name):
        manifest.record(KIND, name, before=docker_images.get_image_id(manifest.system, name))


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    name, original_id = entries[0].subject, entries[0].facts["before"]
    current = docker_images.get_image_id(manifest.system, name)
    if current in (None, original_id):
        return []
    if original_id is None:
        return [_remove_image(manifest, name, name)]
    return [
        _restore_tag(manifest, name, original_id),
        _remove_image(manifest, str(current), f"{name} (ours)"),
    ]


def _restore_tag(manifest: Manifest, name: str, original_id: str) -> str:
    """Let the name lead to the image that it led to, if somebody has not removed that."""
    parts = reference.parse_reference(name)
    query = urlencode({"repo": parts.repository, "tag": parts.version})
    answer = _request(manifest, "POST", f"/images/{original_id}/tag?{query}")
    if not answer.ok:
        return f"image {name}: not restored: {get_message(answer.body)}"
    return f"image {name}: restored"


def _remove_image(manifest: Manifest, reference_or_id: str, label: str) -> str:
    answer = _request(manifest, "DELETE", f"/images/{quote(reference_or_id, safe='/:@')}")
    if not answer.ok:
        return f"image {label}: kept: {get_message(answer.body)}"
    return f"image {label}: removed"


def _request(manifest: Manifest, method: str, path: str) -> HttpAnswer:
    return manifest.system.request(DOCKER_SOCKET, method, path, timeout_s=REMOVE_LIMIT_S)
