"""Wait for what is not told."""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE_S = 0.1


def wait_until(reached: Callable[[], bool], otherwise: str, limit_s: float) -> None:
    """Look again and again; the test fails with `otherwise` after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < deadline, otherwise
        time.sleep(PAUSE_S)
