"""Wait for a condition that nothing announces."""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE_S = 0.1


def wait_until(
    reached: Callable[[], bool], otherwise: str, limit_s: float, pause_s: float = PAUSE_S
) -> float:
    """Poll until `reached`; returns the seconds it took. The test fails with `otherwise` after
    `limit_s`."""
    started = time.monotonic()
    while not reached():
        assert time.monotonic() - started < limit_s, otherwise
        time.sleep(pause_s)
    return time.monotonic() - started
