"""The progress of a long transfer, printed every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from node.host.output import print_now

REPORT_INTERVAL_S = 5.0
GIB, MIB = 1024**3, 1024**2
Output = Callable[[str], None]


def format_size(count: float) -> str:
    """
    >>> format_size(3 * 1024**3), format_size(700 * 1024**2), format_size(1000)
    ('3.0 GiB', '700 MiB', '1 MiB')
    """
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{max(1, round(count / MIB))} MiB"


class TransferProgress:
    """Bytes done out of `total`; `already` of them were present before. Safe for many threads."""

    def __init__(
        self, subject: str, total: int, already: int = 0, output: Output = print_now
    ) -> None:
        self._subject, self._total, self._output = subject, max(total, 1), output
        self._done_bytes, self._already = already, already
        self._started = self._last_report = time.monotonic()
        self._lock = threading.Lock()

    def set_total(self, total: int) -> None:
        """Correct the total, which is known only later."""
        with self._lock:
            self._total = max(total, 1)

    def add(self, count: int) -> None:
        with self._lock:
            self._done_bytes += count
        self._report_if_due()

    def set_done(self, done_bytes: int) -> None:
        """Set how many bytes are done in all."""
        with self._lock:
            self._done_bytes = done_bytes
        self._report_if_due()

    def _report_if_due(self) -> None:
        now = time.monotonic()
        if now - self._last_report < REPORT_INTERVAL_S:
            return
        self._last_report = now
        share = 100 * self._done_bytes // self._total
        self._output(
            f"{self._subject}: {share} % of {format_size(self._total)}, {self._format_rate(now)}"
        )

    def _format_rate(self, now: float) -> str:
        elapsed_s = max(now - self._started, 0.001)
        return f"{(self._done_bytes - self._already) / elapsed_s / MIB:.0f} MiB/s"

    def has_moved(self) -> bool:
        return self._done_bytes > self._already

    def summarize(self) -> str:
        """How much arrived, in what time and how fast."""
        now = time.monotonic()
        return (
            f"{format_size(self._done_bytes - self._already)} in {now - self._started:.0f} "
            f"s, {self._format_rate(now)}"
        )
