"""The last act of `undo --all`: nothing of ours stays, and a kill in between can be made up for."""

from __future__ import annotations

from node.host import paths
from node.host.system import System
from node.ranks import log_archive

AGENT = "agent"


def remove_agent(system: System) -> list[str]:
    """The program goes last: as long as it is there, `undo --all` can be run again."""
    messages = []
    for folder in (paths.RECEIPTS, paths.BACKUPS):
        _remove_folder(system, folder)
    log_archive.remove_all(system)
    for path in (
        paths.ARMED_NETWORK,
        paths.ROLLED_BACK_NETWORK,
        paths.BANDWIDTH,
        paths.CLAIM,
        paths.MANIFEST,
        paths.LOCK,
    ):
        system.remove(path)
    # What several steps shared belongs to none of them.
    for folder in [f"{paths.SERVICES}/{name}" for name in system.list_names(paths.SERVICES)]:
        system.remove_directory(folder)
    system.remove_directory(paths.SERVICES)
    system.remove_directory(paths.STATE)
    remaining = system.list_names(paths.STATE)
    if remaining:
        messages.append(f"{paths.STATE}: kept: contains {', '.join(remaining)}")
    system.remove(paths.ZIPAPP)
    system.remove_directory(paths.LIBRARY)
    return [*messages, "node agent removed"]


def _remove_folder(system: System, folder: str) -> None:
    for name in system.list_names(folder):
        system.remove(f"{folder}/{name}")
    system.remove_directory(folder)
