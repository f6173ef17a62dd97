"""The Docker Engine under the rack: a running one, or one that the rack starts."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkrack import commands
from sparkrack.host import RackError, ask, must
from sparkrack.paths import get_runtime_folder, list_reserved

MARK = "sparkform.rack.dockerd=started-by-the-rack"
# A daemon for nodes that are wired by hand needs no bridge, no packet filter and no forwarding:
# without them it leaves nothing behind in the machine's network when it ends.
COMMAND = (
    "dockerd",
    f"--label={MARK}",
    "--bridge=none",
    "--iptables=false",
    "--ip-masq=false",
    "--ip-forward=false",
)
PID_FILE = Path("/var/run/docker.pid")
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
LOCKED = "/run"  # a folder that is there anyway: a lock file of its own would be left behind


@contextmanager
def lock() -> Iterator[None]:
    """Held while the daemon, the image and the subnets that all racks share may change hands."""
    handle = os.open(LOCKED, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def get_log_file() -> Path:
    return get_runtime_folder() / "dockerd.log"


def is_running() -> bool:
    return ask([commands.DOCKER, "version", "--format={{.Server.Version}}"]).code == 0


def is_ours() -> bool:
    return MARK in ask([commands.DOCKER, "info", "--format={{.Labels}}"]).out


def spawn(command: tuple[str, ...], log: Path) -> int:
    """A process of its own session, which outlives this one."""
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawnp(command[0], command, os.environ, file_actions=files, setsid=True)


def has_ended(pid: int) -> bool:
    """Whether the process has ended; true for a zombie, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def ensure() -> None:
    """Start dockerd where none answers. Raises RackError with the end of its log."""
    if is_running():
        return
    log = get_log_file()
    log.parent.mkdir(parents=True, exist_ok=True)
    pid = spawn(COMMAND, log)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_running():
        if has_ended(pid) or time.monotonic() > deadline:
            tail = " ".join(log.read_text().splitlines()[-2:])
            raise RackError(f"dockerd did not start; its log {log} ends with: {tail}")
        time.sleep(0.2)


def release() -> None:
    """Stop the daemon that the rack started, if it runs no container and no rack is reserved."""
    if list_reserved() or not is_running() or not is_ours():
        return
    if must([commands.DOCKER, "ps", "--all", "--quiet"]).strip():
        return
    pid = int(PID_FILE.read_text())
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while not has_ended(pid):
        if time.monotonic() > deadline:
            raise RackError(f"dockerd (process {pid}) did not stop; stop it by hand")
        time.sleep(0.2)
    get_log_file().unlink(missing_ok=True)
