"""Whether somebody wants the watch to end: a signal, or nobody reads what it prints any more."""

from __future__ import annotations

import signal
from types import FrameType

from node.host.output import is_unread

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Signals are noted from its making on; the watch looks between two of its slices."""

    def __init__(self) -> None:
        self._signal: int | None = None
        for number in SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    @property
    def reason(self) -> str | None:
        if self._signal is not None:
            return signal.Signals(self._signal).name
        return "client disconnected" if is_unread() else None
