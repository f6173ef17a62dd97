"""A systemd unit of the distribution that we configure: as it was before once our file is gone.

Recorded first, so that undo comes to it last.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.changes import unit
from node.host.daemons import run_checked
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "lent_unit"
LIMIT_S = 30.0


def record(manifest: Manifest, name: str) -> None:
    """Record whether it ran before we came."""
    if not manifest.list_for(KIND, name):
        manifest.record(KIND, name, was_active=unit.is_active(manifest.system, name))


def restart(system: System, name: str) -> None:
    run_checked(system, ["systemctl", "restart", name], timeout_s=LIMIT_S)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    name, was_active = entries[0].subject, entries[0].facts["was_active"]
    if manifest.system.run(["systemctl", "cat", name]).code:
        return [f"{name}: is no longer there"]
    if was_active:
        restart(manifest.system, name)
        return [f"{name}: runs with its own settings again"]
    if not unit.is_active(manifest.system, name):
        return []
    run_checked(manifest.system, ["systemctl", "stop", name], timeout_s=LIMIT_S)
    return [f"{name}: stopped"]
