"""Members of a service, which Pulumi's docker plugin or systemd start: by label, as nobody else
records them. Written down before the first one starts."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.paths import KEPT_LAUNCHES
from node.ranks.stopping import remove_ranks
from node.ranks.units import unmark_unit
from node.state.manifest import Manifest, ManifestEntry

KIND = "members"


def record(manifest: Manifest, service: str) -> None:
    if not manifest.list_for(KIND, service):
        manifest.record(KIND, service)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    """All of them, whichever run started them."""
    service = entries[0].subject
    messages = remove_ranks(manifest.system, lambda item: item.service == service)
    # A run that was killed before it had marked its unit.
    unmark_unit(manifest.system, service)
    manifest.system.remove(f"{KEPT_LAUNCHES}/{service}.json")
    manifest.system.remove_directory(KEPT_LAUNCHES)
    return messages


def undo_token(manifest: Manifest, service: str, token: str) -> list[str]:
    """Those of one run, where a newer run has taken the service over."""
    return remove_ranks(
        manifest.system, lambda item: (item.service, item.token) == (service, token)
    )
