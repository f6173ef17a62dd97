"""The Docker Engine under the rack: used where one runs, started by hand where none does."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rack import commands
from rack.host import RackError, ask, must
from rack.paths import runtime_folder

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


def log_file() -> Path:
    return runtime_folder() / "dockerd.log"


def is_running() -> bool:
    return ask([commands.DOCKER, "version", "--format={{.Server.Version}}"]).code == 0


def is_ours() -> bool:
    return MARK in ask([commands.DOCKER, "info", "--format={{.Labels}}"]).out


def ensure() -> None:
    """Start dockerd where none answers. Raises RackError with the end of its log."""
    if is_running():
        return
    log = log_file()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        daemon = subprocess.Popen(
            COMMAND, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_running():
        if daemon.poll() is not None or time.monotonic() > deadline:
            tail = " ".join(log.read_text().splitlines()[-2:])
            raise RackError(f"dockerd did not start; its log {log} ends with: {tail}")
        time.sleep(0.2)


def release() -> None:
    """Stop the daemon that the rack started, once nothing runs in it."""
    if not is_running() or not is_ours():
        return
    if must([commands.DOCKER, "ps", "--all", "--quiet"]).strip():
        return
    pid = int(PID_FILE.read_text())
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
        if time.monotonic() > deadline:
            raise RackError(f"dockerd (process {pid}) did not stop; stop it by hand")
        time.sleep(0.2)
    log_file().unlink(missing_ok=True)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
