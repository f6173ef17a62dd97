"""A user added to a group, by gpasswd in both directions."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import StepError
from node.host import users
from node.host.daemons import run_checked
from node.state.manifest import Manifest, ManifestEntry

KIND = "group"


def add_user(manifest: Manifest, user: str, group: str) -> list[str]:
    members = users.list_group_members(manifest.system, group)
    if members is None:
        raise StepError(f"This node has no group {group}; install Docker first.")
    if user in members:
        return []
    manifest.record(KIND, f"{group}/{user}")
    run_checked(manifest.system, ["gpasswd", "--add", user, group])
    return [f"{user} added to group {group}"]


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    group, user = entries[0].subject.split("/")
    if user not in (users.list_group_members(manifest.system, group) or []):
        return []
    run_checked(manifest.system, ["gpasswd", "--delete", user, group])
    return [f"{user} removed from group {group}"]
