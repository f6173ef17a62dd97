"""A load generator as a child with a limit of its own: it ends by itself, by Ctrl-C, or by us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Ending = Literal["complete", "interrupted", "out-of-time", "failed"]
POLL_S = 0.2
FAREWELL_S = 15.0
"""How long a driver may take to write what it has."""


@dataclass(frozen=True)
class DriverEnd:
    """`log_tail`: the last lines that it printed."""

    ending: Ending
    code: int | None
    log_tail: tuple[str, ...] = ()


def run_driver(
    argv: Sequence[str | Path],
    environment: Mapping[str, str],
    log_file: Path,
    limit_s: float,
    look: Callable[[], None],
) -> DriverEnd:
    """`look` is called again and again meanwhile. Ctrl-C ends the driver, and is told as such."""
    with open(log_file, "wb") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        ending = _watch(process, limit_s, look)
    return DriverEnd(ending, process.returncode, _read_tail(log_file))


def _watch(process: subprocess.Popen[bytes], limit_s: float, look: Callable[[], None]) -> Ending:
    deadline = time.monotonic() + limit_s
    try:
        while process.poll() is None:
            look()
            if time.monotonic() > deadline:
                _end(process)
                return "out-of-time"
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        _end(process)
        return "interrupted"
    finally:
        _kill_group(process)
    return "complete" if process.returncode == 0 else "failed"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asked first, so that it writes what it has; a second Ctrl-C does not wait."""
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        process.wait(FAREWELL_S)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Whatever it started is in its session, and ends with it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_tail(path: Path, lines: int = 20) -> tuple[str, ...]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-lines:]
