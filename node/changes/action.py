"""What must follow a changed file (dockerd restarted, netplan applied), owed until it was done.

An action is recorded as due before the first file changes and as done after it ran, in `apply` and
in `undo` alike: a run killed in between leaves it due, and the next one makes up for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from node.host import daemons
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "action"

RESTART_DOCKER, APPLY_NETPLAN, RELOAD_SYSTEMD = "restart docker", "apply netplan", "reload systemd"
PERFORM_BY_ACTION: Mapping[str, Callable[[System], str]] = {
    RESTART_DOCKER: daemons.restart_docker,
    APPLY_NETPLAN: daemons.apply_netplan,
    RELOAD_SYSTEMD: daemons.reload_systemd,
}


def mark_due(manifest: Manifest, name: str) -> None:
    """Owe the action from now on."""
    if not is_due(manifest.list_for(KIND, name)):
        manifest.record(KIND, name, due=True)


def mark_all_due(manifest: Manifest) -> None:
    """Owe again every action that this step's files have ever called for."""
    for name in dict.fromkeys(entry.subject for entry in manifest.list_all(KIND)):
        mark_due(manifest, name)


def perform_due(manifest: Manifest, name: str) -> list[str]:
    """Do what is owed, if anything. Raises StepError where it fails: then it stays due."""
    if not is_due(manifest.list_for(KIND, name)):
        return []
    message = PERFORM_BY_ACTION[name](manifest.system)
    manifest.record(KIND, name, due=False)
    return [message]


def is_due(entries: Sequence[ManifestEntry]) -> bool:
    return bool(entries) and bool(entries[-1].facts["due"])


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    return perform_due(manifest, entries[0].subject)
