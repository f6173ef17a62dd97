"""One `nvidia-smi --loop` that goes on, in the place of a process a sample.

It writes each line at once to a pipe, too (seen on an H200, 12 samples: 20 ms of a core).
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass

from node.host.system import System
from node.telemetry.gpu import QUERY, parse_line
from node.telemetry.measure import Unread
from node.telemetry.node_telemetry import GpuTelemetry

RESTART_S = 30.0
OLD_AFTER_INTERVALS = 3


@dataclass(frozen=True)
class GpuLine:
    monotonic_s: float
    gpu: GpuTelemetry


class GpuLoop:
    """The last line of each GPU. A loop that ended is started again after a while."""

    def __init__(self, system: System, interval_s: int) -> None:
        self._system, self._interval_s = system, interval_s
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = -RESTART_S
        self._lines: dict[int, GpuLine] = {}
        self._excuse = "nvidia-smi: no line yet"

    def read(self) -> tuple[GpuTelemetry, ...] | Unread:
        self._ensure_running()
        limit_s = OLD_AFTER_INTERVALS * self._interval_s
        now_s = time.monotonic()
        fresh = [line for line in self._lines.values() if now_s - line.monotonic_s <= limit_s]
        if fresh:
            return tuple(sorted((line.gpu for line in fresh), key=lambda gpu: gpu.index))
        if self._lines and self._process is not None and self._process.poll() is None:
            return Unread(f"nvidia-smi: no line within {limit_s} s")
        return Unread(self._excuse)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def _ensure_running(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        if time.monotonic() - self._started_s < RESTART_S:
            return
        self._started_s = time.monotonic()
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as output:
            command = [*QUERY, f"--loop={self._interval_s}"]
            try:
                self._process = self._system.start(command, {**os.environ, "LC_ALL": "C"}, output)
            except OSError as error:
                self._excuse = f"nvidia-smi: {(error.strerror or 'cannot start').lower()}"
        threading.Thread(target=self._follow, args=(reading,), daemon=True).start()

    def _follow(self, reading: int) -> None:
        with os.fdopen(reading, errors="replace") as lines:
            for line in lines:
                gpu = parse_line(line)
                if gpu is not None:
                    self._lines[gpu.index] = GpuLine(time.monotonic(), gpu)
                elif line.strip():
                    self._excuse = line.strip()[:200]
