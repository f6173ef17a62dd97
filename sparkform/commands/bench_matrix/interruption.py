"""Ctrl-C and SIGTERM while much is done one after the other: noted always, raised where work may be
cut.

An `up` is not cut from here: Pulumi gets a terminal's Ctrl-C itself, and ends the run its own way.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class SignalWatch:
    """`tell` is called once, at the first signal."""

    tell: Callable[[], None]
    is_requested: bool = False
    is_shielded: bool = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._take) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """What is done within is not cut."""
        self.is_shielded = True
        try:
            yield
        finally:
            self.is_shielded = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        if not self.is_requested:
            self.is_requested = True
            self.tell()
        if not self.is_shielded:
            raise KeyboardInterrupt
