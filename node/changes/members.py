"""Members of a service, which Pulumi's docker plugin or systemd start: by label, as nobody else
records them. Written down before the first one starts."""

from __future__ import annotations

from collections.abc import Sequence

from node.ranks import member_ends, service_objects
from node.state.manifest import Entry, Journal

KIND = "members"


def remember(journal: Journal, service: str) -> None:
    if not journal.of(KIND, service):
        journal.record(KIND, service)


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    """All of them, whichever run started them."""
    service = entries[0].subject
    done = member_ends.remove(journal.system, lambda one: one.service == service)
    # A run that was killed before it had marked its unit.
    service_objects.unmark(journal.system, service)
    return done


def undo_token(journal: Journal, service: str, token: str) -> list[str]:
    """Those of one run, where a newer run has taken the service over."""
    return member_ends.remove(
        journal.system, lambda one: (one.service, one.token) == (service, token)
    )
