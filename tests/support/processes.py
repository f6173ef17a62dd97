"""Find processes that a test run has left behind, by a mark in their environment."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

MARK = "SPARKFORM_TEST_RUN"


def create_mark() -> dict[str, str]:
    """A variable for the environment of a run; every process below it inherits it."""
    return {MARK: uuid.uuid4().hex}


def list_marked(mark: dict[str, str]) -> dict[int, str]:
    """Process id to command line of every living process that carries the mark."""
    variable = f"{MARK}={mark[MARK]}".encode()
    processes = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if variable in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                processes[int(folder.name)] = command.decode(errors="replace")
        except OSError:
            continue
    processes.pop(os.getpid(), None)
    return processes


def list_remaining(mark: dict[str, str], limit_s: float) -> dict[int, str]:
    """The marked processes that are still there after `limit_s`; returns early when none is."""
    deadline = time.monotonic() + limit_s
    while (processes := list_marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return processes
