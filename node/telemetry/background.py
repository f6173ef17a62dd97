"""A reading that may hang in the kernel (a dead network file system) and must not stop the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from node.telemetry.measure import Unread, read_guarded

Value = TypeVar("Value")


class BackgroundReading(Generic[Value]):
    """Read in a thread of its own. While one hangs, no second one is started."""

    def __init__(self, read: Callable[[], Value], limit_s: float) -> None:
        self._read, self._limit_s = read, limit_s
        self._thread: threading.Thread | None = None
        self._value: Value | Unread = Unread("not read yet")

    def get(self) -> Value | Unread:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._store, daemon=True)
            self._thread.start()
        self._thread.join(self._limit_s)
        if self._thread.is_alive():
            return Unread(f"no answer within {self._limit_s:g} s")
        return self._value

    def _store(self) -> None:
        self._value = read_guarded(self._read)
