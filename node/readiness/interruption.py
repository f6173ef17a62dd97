"""Whether the watch is to end: a signal, or the client has disconnected."""

from __future__ import annotations

import signal
from types import FrameType

from node.host.output import is_unread

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Notes signals from its creation on; the watch checks it between two slices."""

    def __init__(self) -> None:
        self._signal: int | None = None
        for number in SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    @property
    def has_signal(self) -> bool:
        return self._signal is not None

    @property
    def reason(self) -> str | None:
        if self._signal is not None:
            return signal.Signals(self._signal).name
        return "client disconnected" if is_unread() else None
