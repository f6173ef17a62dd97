"""A model that a step brought: it stays at undo, unless it is said that models are not kept."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from node.state.manifest import Entry, Journal

KIND = "model"


def remember(journal: Journal, root: str, handle: str, keep: bool) -> None:
    """`root` is the model's own folder in a cache. Recorded anew where `keep` has changed."""
    earlier = journal.of(KIND, root)
    if earlier and earlier[-1].facts["keep"] == keep:
        return
    is_there = earlier[0].facts["found"] if earlier else journal.system.state(root) is not None
    journal.record(KIND, root, handle=handle, keep=keep, found=is_there)


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    root, handle = entries[0].subject, entries[0].facts["handle"]
    if journal.system.state(root) is None:
        return []
    if entries[0].facts["found"]:
        return [f"model {handle}: left in {root}, where it was before"]
    if entries[-1].facts["keep"] and journal.system.names(f"{root}/blobs"):
        return [f"model {handle}: kept in {root}, as keepModels says"]
    shutil.rmtree(journal.system.path(root))
    return [f"model {handle}: removed from {root}"]
