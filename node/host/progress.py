"""How far something large is, said every few seconds for people who wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

EVERY_S = 5.0
GIB, MIB = 1024**3, 1024**2
Say = Callable[[str], None]


def size(count: float) -> str:
    """
    >>> size(3 * 1024**3), size(700 * 1024**2), size(1000)
    ('3.0 GiB', '700 MiB', '1 MiB')
    """
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{max(1, round(count / MIB))} MiB"


def aloud(line: str) -> None:
    print(line, flush=True)


class Progress:
    """Bytes done out of `total`; `had` of them were there before. May be told by many threads."""

    def __init__(self, what: str, total: int, had: int = 0, say: Say = aloud) -> None:
        self._what, self._total, self._say = what, max(total, 1), say
        self._done, self._had = had, had
        self._began = self._told = time.monotonic()
        self._lock = threading.Lock()

    def out_of(self, total: int) -> None:
        """The whole has turned out to be so large."""
        with self._lock:
            self._total = max(total, 1)

    def more(self, count: int) -> None:
        with self._lock:
            self._done += count
        self._tell_now_and_then()

    def at(self, done: int) -> None:
        """So many are done in all."""
        with self._lock:
            self._done = done
        self._tell_now_and_then()

    def _tell_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._told < EVERY_S:
            return
        self._told = now
        share = 100 * self._done // self._total
        self._say(f"{self._what}: {share} % of {size(self._total)}, {self._rate(now)}")

    def _rate(self, now: float) -> str:
        return f"{(self._done - self._had) / max(now - self._began, 0.001) / MIB:.0f} MiB/s"

    def has_moved(self) -> bool:
        return self._done > self._had

    def summary(self) -> str:
        """How much came, and how fast."""
        now = time.monotonic()
        return f"{size(self._done - self._had)} in {now - self._began:.0f} s, {self._rate(now)}"
