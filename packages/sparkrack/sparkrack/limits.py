"""The one limit of the kernel that the nodes share and run into: inotify instances of one user.

Root in every node is root of this machine, and Linux gives a user 128 instances
(fs.inotify.max_user_instances, inotify(7)). A node holds 9 or 10 as root: systemd 5, NetworkManager
2, udevd, logind and containerd 1 each. The thirteenth node finds none left: its udevd does not
start, NetworkManager waits for udev for ever, nobody can log in (docs/design/simulated-rack.md).

Callers hold `daemon.lock`.
"""

from __future__ import annotations

from pathlib import Path

from sparkrack.host import must
from sparkrack.paths import get_runtime_folder, list_reserved

SETTING = Path("/proc/sys/fs/inotify/max_user_instances")
# A limit, nothing that is set aside: 20 for each of the 400 idle nodes (64 MiB) that 24 GiB hold.
NEEDED = 8000


def get_before_file() -> Path:
    """The original limit; exists while the rack's limit applies."""
    return get_runtime_folder() / "inotify-instances-before"


def ensure() -> None:
    """Raise the limit where it is too low. Raises RackError where the kernel refuses."""
    limit = read_limit()
    if limit >= NEEDED:
        return
    get_before_file().parent.mkdir(parents=True, exist_ok=True)
    get_before_file().write_text(f"{limit}\n")
    set_limit(NEEDED)


def release() -> None:
    """Restore the limit after the last rack, unless something else has changed it since."""
    if not get_before_file().exists() or list_reserved():
        return
    if read_limit() == NEEDED:
        set_limit(int(get_before_file().read_text()))
    get_before_file().unlink()


def read_limit() -> int:
    return int(SETTING.read_text())


def set_limit(value: int) -> None:
    must(["sysctl", "-q", "-w", f"fs.inotify.max_user_instances={value}"])
