"""The number that the next documents for this node carry: no two states of a node share one.

Pulumi updates a step only where its document differs from the last one that it knows, and the
receipts alone cannot tell which that was: they go with `undo`, with a reinstallation, with a
restored disk. So the number is a digest of what none of these brings back together:

- every receipt, and the change time and inode of their directory, which each write and each removal
  renews and no copy restores; where it is gone, those of the nearest directory that exists;
- the boot id, which is random, so that a disk that is written back does not repeat itself;
- the machine id, which an installation draws anew.

While nothing is applied, undone or rebooted it stays, so a preview and the `up` after it agree. A
clock that is set back would have to meet an earlier time to the nanosecond, within one boot and
with the very same receipts.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from node.host.paths import BOOT_ID, RECEIPTS
from node.host.system import System
from node.state import receipts

MACHINE_ID = "/etc/machine-id"
HEX_DIGITS = 12
"""48 bits: JSON's numbers hold them exactly in every language."""


def compute_next_run(system: System) -> int:
    """The same for every step of the node."""
    status = system.path(_find_nearest_directory(system)).stat()
    parts = [
        system.read(MACHINE_ID) or "",
        system.read(BOOT_ID) or "",
        f"{status.st_ino} {status.st_ctime_ns}",
        *(f"{step} {text}" for step, text in receipts.read_all(system).items()),
    ]
    digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape"))
    return int(digest.hexdigest()[:HEX_DIGITS], 16)


def _find_nearest_directory(system: System) -> str:
    """That of the receipts, or the one that it would be made in."""
    folders = [PurePosixPath(RECEIPTS), *PurePosixPath(RECEIPTS).parents]
    return str(next(folder for folder in folders if system.path(str(folder)).is_dir()))
