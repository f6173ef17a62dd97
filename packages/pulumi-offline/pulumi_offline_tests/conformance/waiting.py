"""Waits for what a command does on its node."""

from __future__ import annotations

import time
from pathlib import Path


def wait_until(path: Path, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear in {timeout_s} s"
        time.sleep(0.05)
