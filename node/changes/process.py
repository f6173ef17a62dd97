"""A run of a long step that works without the node's lock, so that an undo can end it first."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from node.host.system import System
from node.state.manifest import Entry, Journal

KIND = "process"
GRACE_S = 5.0
PAUSE_S = 0.1
_START_TIME = 19  # of /proc/PID/stat (proc(5)), counted behind the name


def remember(journal: Journal) -> None:
    """Record this process, with what tells it from a later one of the same number."""
    journal.record(KIND, str(os.getpid()), started=_started(journal.system, os.getpid()))


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    pid = int(entries[0].subject)
    if pid == os.getpid() or not _is_it(journal.system, pid, entries[-1]):
        return []
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + GRACE_S
        while _is_it(journal.system, pid, entries[-1]) and time.monotonic() < until:
            time.sleep(PAUSE_S)
    return [f"an interrupted run of {journal.step}: ended"]


def _is_it(system: System, pid: int, entry: Entry) -> bool:
    started = _started(system, pid)
    return started is not None and started == entry.facts["started"]


def _started(system: System, pid: int) -> str | None:
    """Boot and clock tick of the process's start; None where there is none, or only its remains."""
    text = system.read(f"/proc/{pid}/stat")
    fields = text.rpartition(")")[2].split() if text else []
    if not fields or fields[0] == "Z":
        return None
    boot = (system.read("/proc/sys/kernel/random/boot_id") or "").strip()
    return f"{boot} {fields[_START_TIME]}"
