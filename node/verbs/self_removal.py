"""The last act of `undo --all`: nothing of ours stays, and a kill in between can be made up for."""

from __future__ import annotations

from node.host import paths
from node.host.system import System
from node.ranks import log_archive

ANCHOR = "anchor"


def remove_ourselves(system: System) -> list[str]:
    """The program goes last: as long as it is there, `undo --all` can be run again."""
    done = []
    for folder in (paths.RECEIPTS, paths.BACKUPS):
        _empty(system, folder)
    log_archive.remove_all(system)
    for path in (paths.ARMED, paths.ROLLED_BACK, paths.CLAIM, paths.MANIFEST, paths.LOCK):
        system.remove(path)
    # What several steps shared belongs to none of them.
    for folder in [f"{paths.SERVICES}/{name}" for name in system.names(paths.SERVICES)]:
        system.remove_directory(folder)
    system.remove_directory(paths.SERVICES)
    system.remove_directory(paths.STATE)
    left = system.names(paths.STATE)
    if left:
        done.append(f"{paths.STATE}: left, because it holds {', '.join(left)}")
    system.remove(paths.ZIPAPP)
    system.remove_directory(paths.LIBRARY)
    return [*done, "the node program removed itself"]


def _empty(system: System, folder: str) -> None:
    for name in system.names(folder):
        system.remove(f"{folder}/{name}")
    system.remove_directory(folder)
