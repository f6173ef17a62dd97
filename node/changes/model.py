"""A model that a step brought: it stays at undo, unless it is said that models are not kept."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from node.state.manifest import Manifest, ManifestEntry

KIND = "model"


def record(manifest: Manifest, root: str, handle: str, keep: bool) -> None:
    """`root` is the model's own folder in a cache. Recorded anew where `keep` has changed."""
    earlier = manifest.list_for(KIND, root)
    if earlier and earlier[-1].facts["keep"] == keep:
        return
    was_present = (
        earlier[0].facts["found"] if earlier else manifest.system.get_state(root) is not None
    )
    manifest.record(KIND, root, handle=handle, keep=keep, found=was_present)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    root, handle = entries[0].subject, entries[0].facts["handle"]
    if manifest.system.get_state(root) is None:
        return []
    if entries[0].facts["found"]:
        return [f"model {handle}: kept in {root} (was there before)"]
    if entries[-1].facts["keep"] and manifest.system.list_names(f"{root}/blobs"):
        return [f"model {handle}: kept in {root} (keepModels)"]
    shutil.rmtree(manifest.system.path(root))
    return [f"model {handle}: removed from {root}"]
