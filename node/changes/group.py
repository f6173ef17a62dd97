"""A user added to a group, by gpasswd in both directions."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import Refusal
from node.host import users
from node.host.daemons import must
from node.state.manifest import Entry, Journal

KIND = "group"


def add(journal: Journal, user: str, group: str) -> list[str]:
    found = users.members(journal.system, group)
    if found is None:
        raise Refusal(f"This node has no group {group}; install Docker first.")
    if user in found:
        return []
    journal.record(KIND, f"{group}/{user}")
    must(journal.system, ["gpasswd", "--add", user, group])
    return [f"{user} added to group {group}"]


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    group, user = entries[0].subject.split("/")
    if user not in (users.members(journal.system, group) or []):
        return []
    must(journal.system, ["gpasswd", "--delete", user, group])
    return [f"{user} removed from group {group}"]
