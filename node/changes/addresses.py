"""A link's addresses of ours, taken off it before netplan applies the files that are put back."""

from __future__ import annotations

from collections.abc import Sequence

from node.changes import link
from node.host import links
from node.state.manifest import Entry, Journal

KIND = "addresses"


def remember(journal: Journal, name: str) -> None:
    """After the files in the manifest, so that its undo comes before theirs."""
    if not journal.of(KIND, name):
        journal.record(KIND, name)


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    earlier = journal.of(link.KIND, entries[0].subject)
    if not earlier:
        return []
    return links.withdraw(journal.system, earlier[0].facts["before"], link.ours(earlier))
