"""The processes that the host starts, each in a group of its own, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

CHUNK_BYTES = 65536


class Child:
    """One started process and everything that it starts in its process group."""

    def __init__(
        self, argv: Sequence[str | Path], variables: Mapping[str, str], folder: str
    ) -> None:
        self._process = subprocess.Popen(
            argv,
            env=variables,
            cwd=folder or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        self._interrupted = threading.Event()
        self._over = threading.Event()

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        assert self._process.stderr is not None
        return self._process.stderr

    @property
    def interrupted(self) -> bool:
        """Whether this host ended the process; what it says from then on is of no use to anyone."""
        return self._interrupted.is_set()

    def interrupt(self) -> None:
        self._interrupted.set()
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        self._interrupted.set()
        self._signal(signal.SIGKILL)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """The exit code; what the process left running in its group ends with it."""
        code = self._process.wait()
        self._signal(signal.SIGKILL)
        self._over.set()
        return code

    def _signal(self, number: signal.Signals) -> None:
        if self._over.is_set():
            # The group is gone, and its number may belong to someone else by now.
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class Children:
    """All processes of one kind that are running now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Child] = set()
        self._closed = False

    def start(self, argv: Sequence[str | Path], variables: Mapping[str, str], folder: str) -> Child:
        """Start a process in `folder`. Raises RuntimeError once the host is ending."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the language host is ending")
            child = Child(argv, variables, folder)
            self._running.add(child)
        return child

    def finish(self, child: Child) -> int:
        """Wait for the end of a process and forget it; returns its exit code."""
        code = child.wait()
        with self._lock:
            self._running.discard(child)
        return code

    def interrupt(self) -> None:
        for child in self._list():
            child.interrupt()

    def kill(self) -> None:
        for child in self._list():
            child.kill()

    def stop(self, grace_s: float) -> None:
        """Interrupt every process, give them `grace_s` together, then kill what remains."""
        with self._lock:
            self._closed = True
        self.interrupt()
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and any(child.is_running() for child in self._list()):
            time.sleep(0.05)
        self.kill()

    def _list(self) -> list[Child]:
        with self._lock:
            return list(self._running)


def forward(source: IO[bytes], target: int, child: Child) -> threading.Thread:
    """Copy `source` to the descriptor `target` in a thread, until the child is interrupted."""

    def copy() -> None:
        while chunk := os.read(source.fileno(), CHUNK_BYTES):
            if not child.interrupted:
                os.write(target, chunk)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread
