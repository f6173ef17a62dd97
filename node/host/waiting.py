"""Wait for a condition on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PAUSE_S = 0.5
Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], limit_s: float, pause_s: float = PAUSE_S) -> Value:
    """Call `condition` until its value is true, or for `limit_s`; it is called at least once.

    Returns the last value: false where the time was too short.
    """
    deadline = time.monotonic() + limit_s
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(pause_s)
    return value


def wait_while(condition: Callable[[], Value], limit_s: float, pause_s: float = PAUSE_S) -> Value:
    """The reverse, for a condition that lists what is still missing.

    Returns the last value: what is missing at the end of the time.
    """
    deadline = time.monotonic() + limit_s
    while (value := condition()) and time.monotonic() < deadline:
        time.sleep(pause_s)
    return value
