"""A user whose services outlive the login; with it, logind no longer removes its shared memory."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.daemons import run_checked
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "linger"


def is_enabled(system: System, user: str) -> bool:
    """logind keeps one empty file a user (systemd, logind's `user_check_linger_file`)."""
    return system.get_state(f"/var/lib/systemd/linger/{user}") is not None


def enable(manifest: Manifest, user: str) -> list[str]:
    if is_enabled(manifest.system, user):
        return []
    manifest.record(KIND, user)
    run_checked(manifest.system, ["loginctl", "enable-linger", user])
    return [f"linger enabled for {user}"]


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    user = entries[0].subject
    if not is_enabled(manifest.system, user):
        return []
    run_checked(manifest.system, ["loginctl", "disable-linger", user])
    return [f"linger disabled for {user}"]
