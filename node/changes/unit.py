"""A transient systemd unit that a step started and that ends by itself; undo ends it at once."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.daemons import run_checked
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "unit"
STOP_LIMIT_S = 30.0


def record(manifest: Manifest, name: str) -> None:
    if not manifest.list_for(KIND, name):
        manifest.record(KIND, name)


def is_active(system: System, name: str) -> bool:
    return system.run(["systemctl", "is-active", "--quiet", name]).code == 0


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    name = entries[0].subject
    if not is_active(manifest.system, name):
        return []
    run_checked(manifest.system, ["systemctl", "stop", name], timeout_s=STOP_LIMIT_S)
    return [f"{name}: stopped"]
