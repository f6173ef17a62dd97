"""A reading that may hang in the kernel (a dead network file system) and must not stop the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from node.readings.measure import Unread, read_guarded

Value = TypeVar("Value")
UNANSWERED = Unread("no answer in time")


@dataclass(frozen=True)
class TimedValue(Generic[Value]):
    """What was read, and when that ended."""

    value: Value | Unread
    monotonic_s: float

    def is_within(self, seconds: float) -> bool:
        return time.monotonic() - self.monotonic_s < seconds


class BackgroundReading(Generic[Value]):
    """Read in a thread of its own. While one hangs, no second one is started.

    `pause_s`: so long after a reading no other one is begun. `keep_s`: so long a value stands in
    for a newer one that is late.
    """

    def __init__(
        self, read: Callable[[], Value], pause_s: float = 0.0, keep_s: float = 0.0
    ) -> None:
        self._read, self._pause_s, self._keep_s = read, pause_s, keep_s
        self._thread: threading.Thread | None = None
        self._last: TimedValue[Value] | None = None

    def start(self) -> None:
        if self._is_busy() or (self._last and self._last.is_within(self._pause_s)):
            return
        self._thread = threading.Thread(target=self._store, daemon=True)
        self._thread.start()

    def get(self, limit_s: float) -> Value | Unread:
        """The value that was read, once it is there."""
        if self._thread is not None:
            self._thread.join(max(0.0, limit_s))
        last = self._last
        if last is None or (self._is_busy() and not last.is_within(self._keep_s)):
            return UNANSWERED
        return last.value

    def _is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _store(self) -> None:
        self._last = TimedValue(read_guarded(self._read), time.monotonic())
