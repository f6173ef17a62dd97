"""Run a command whose output the user sees, so that an interrupt ends it and not only us."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

# Pulumi waits for the remote commands that are running; a step on the rack takes seconds.
GRACE_S = 20.0


class Interrupted(BaseException):
    """SIGINT or SIGTERM. A BaseException, so that only the cleanup follows it."""


class DemoError(Exception):
    """The demo cannot go on. The message is one sentence for users."""


def run(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Let the command write where we write. Raises DemoError where it fails.

    It has a process group of its own: a Ctrl-C reaches it once, from here, and not twice, which
    Pulumi would take as an order to drop everything.
    """
    process = None
    try:
        with _hold_interrupts():
            process = subprocess.Popen(
                argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, process_group=0
            )
        code = process.wait()
    except Interrupted:
        if process:
            _end_process(process)
        raise
    if code:
        raise DemoError(f"`pulumi {argv[1]}` failed with exit code {code}; see its output above")


def read_output(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """What the command prints, which the user does not see. Raises DemoError where it fails."""
    result = subprocess.run(
        argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if result.returncode:
        raise DemoError(f"`pulumi {argv[1]}` failed: {result.stderr.strip()}")
    return result.stdout


def _end_process(process: subprocess.Popen[bytes]) -> None:
    """Ask once, wait, then kill what remains of the group."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def raise_on_interrupt() -> Iterator[None]:
    """SIGINT and SIGTERM raise Interrupted, as often as they come."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _hold_interrupts() -> Iterator[None]:
    """An interrupt waits until the end: one in the middle of a start would leave an orphan."""
    pending: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: pending.append(number))
        for number in SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for pending_number in pending:
            signal.raise_signal(pending_number)


@contextmanager
def ignore_interrupts() -> Iterator[None]:
    """For taking down: a second Ctrl-C must not leave half a rack, nor reach what it runs."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


SIGNALS = (signal.SIGINT, signal.SIGTERM)
