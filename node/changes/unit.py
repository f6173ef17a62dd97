"""A systemd unit that a step started; undo ends it."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.daemons import run_checked
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "unit"
STOP_LIMIT_S = 30.0
COMING_STATES = ("activating", "deactivating", "reloading")


def record(manifest: Manifest, name: str) -> None:
    if not manifest.list_for(KIND, name):
        manifest.record(KIND, name)


def is_active(system: System, name: str) -> bool:
    return system.run(["systemctl", "is-active", "--quiet", name]).code == 0


def _has_ended(system: System, name: str) -> bool:
    """One that failed and waits to be started again has not: its file alone would be taken away."""
    result = system.run(["systemctl", "is-active", name])
    return result.code != 0 and result.out.strip() not in COMING_STATES


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    name = entries[0].subject
    if _has_ended(manifest.system, name):
        return []
    run_checked(manifest.system, ["systemctl", "stop", name], timeout_s=STOP_LIMIT_S)
    return [f"{name}: stopped"]
