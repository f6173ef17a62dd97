"""A user whose services outlive the login; with it, logind no longer removes its shared memory."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.daemons import must
from node.host.system import System
from node.state.manifest import Entry, Journal

KIND = "linger"


def lingers(system: System, user: str) -> bool:
    """logind keeps one empty file a user (systemd, logind's `user_check_linger_file`)."""
    return system.state(f"/var/lib/systemd/linger/{user}") is not None


def enable(journal: Journal, user: str) -> list[str]:
    if lingers(journal.system, user):
        return []
    journal.record(KIND, user)
    must(journal.system, ["loginctl", "enable-linger", user])
    return [f"linger enabled for {user}"]


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    user = entries[0].subject
    if not lingers(journal.system, user):
        return []
    must(journal.system, ["loginctl", "disable-linger", user])
    return [f"linger disabled for {user}"]
