"""A run of a long step that works without the node's lock, so that an undo can end it first."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from node.host.paths import BOOT_ID
from node.host.system import System
from node.host.waiting import wait_while
from node.state.manifest import Manifest, ManifestEntry

KIND = "process"
GRACE_S = 5.0
PAUSE_S = 0.1
_START_TIME = 19  # of /proc/PID/stat (proc(5)), counted behind the name


def record(manifest: Manifest) -> None:
    """Record this process, with what tells it from a later one of the same number."""
    manifest.record(KIND, str(os.getpid()), started=_read_start(manifest.system, os.getpid()))


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    pid = int(entries[0].subject)
    if pid == os.getpid() or not _is_running(manifest.system, pid, entries[-1]):
        return []
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        wait_while(lambda: _is_running(manifest.system, pid, entries[-1]), GRACE_S, PAUSE_S)
    return [f"interrupted run of {manifest.step}: stopped"]


def _is_running(system: System, pid: int, entry: ManifestEntry) -> bool:
    started = _read_start(system, pid)
    return started is not None and started == entry.facts["started"]


def _read_start(system: System, pid: int) -> str | None:
    """Boot and clock tick of the process's start; None where there is none, or only its remains."""
    text = system.read(f"/proc/{pid}/stat")
    fields = text.rpartition(")")[2].split() if text else []
    if not fields or fields[0] == "Z":
        return None
    boot = (system.read(BOOT_ID) or "").strip()
    return f"{boot} {fields[_START_TIME]}"
