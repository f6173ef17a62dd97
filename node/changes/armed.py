"""A network change that may still wait for its confirmation: undone, it waits no longer."""

from __future__ import annotations

from collections.abc import Sequence

from node.state import pending_change
from node.state.manifest import Entry, Journal

KIND = "armed"


def remember(journal: Journal) -> None:
    if not journal.all(KIND):
        journal.record(KIND)


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    waited = pending_change.state(journal.system) is not None
    pending_change.disarm(journal.system)
    pending_change.forget_rollback(journal.system)
    return ["the network change no longer waits for its confirmation"] if waited else []
