"""A link's addresses of ours, taken off it before netplan applies the files that are put back."""

from __future__ import annotations

from collections.abc import Sequence

from node.changes import link
from node.host import links
from node.state.manifest import Manifest, ManifestEntry

KIND = "addresses"


def record(manifest: Manifest, name: str) -> None:
    """After the files in the manifest, so that its undo comes before theirs."""
    if not manifest.list_for(KIND, name):
        manifest.record(KIND, name)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    earlier = manifest.list_for(link.KIND, entries[0].subject)
    if not earlier:
        return []
    return links.remove_our_addresses(
        manifest.system, earlier[0].facts["before"], link.list_our_values(earlier)
    )
