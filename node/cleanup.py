"""The last act of `undo --all`: nothing of ours stays, and a kill in between can be made up for."""

from __future__ import annotations

from node import places
from node.engine import kept
from node.system import System

ANCHOR = "anchor"


def remove_ourselves(system: System) -> list[str]:
    """The program goes last: as long as it is there, `undo --all` can be run again."""
    done = []
    for folder in (places.RECEIPTS, places.BACKUPS):
        _empty(system, folder)
    kept.remove_all(system)
    for path in (places.ARMED, places.ROLLED_BACK, places.CLAIM, places.MANIFEST, places.LOCK):
        system.remove(path)
    # What several steps shared belongs to none of them.
    for folder in [f"{places.SERVICES}/{name}" for name in system.names(places.SERVICES)]:
        system.remove_directory(folder)
    system.remove_directory(places.SERVICES)
    system.remove_directory(places.STATE)
    left = system.names(places.STATE)
    if left:
        done.append(f"{places.STATE}: left, because it holds {', '.join(left)}")
    system.remove(places.ZIPAPP)
    system.remove_directory(places.LIBRARY)
    return [*done, "the node program removed itself"]


def _empty(system: System, folder: str) -> None:
    for name in system.names(folder):
        system.remove(f"{folder}/{name}")
    system.remove_directory(folder)
