"""Who fetches from whom: each one that joins gets the last one of the chain before it.

A chain loads each link once, however many receive; the source sends one copy only. The order is
that of joining, so nobody needs to know beforehand who will come.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass
class Member:
    """A receiver: where it serves, from whom it fetches (None: from the source), how far it is."""

    name: str
    addresses: list[str]
    port: int
    upstream: str | None
    has_all: bool = False
    has_left: bool = False


@dataclass
class Chain:
    """The receivers of one parcel. All methods may be called by many threads."""

    members: dict[str, Member] = field(default_factory=dict)
    last_word_s: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def join(
        self, name: str, addresses: list[str], port: int, avoid: Collection[str]
    ) -> Member | None:
        """From whom `name` fetches; None for the source. `avoid`: those who did not answer it."""
        with self._lock:
            self.last_word_s = time.monotonic()
            self.members.pop(name, None)
            giver = next((one for one in self._latest() if self._fits(one, name, avoid)), None)
            upstream = giver.name if giver else None
            self.members[name] = Member(name, addresses, port, upstream)
            return giver

    def done(self, name: str) -> bool:
        """Told by a receiver that has all; returns whether nobody fetches from it any more."""
        with self._lock:
            self.last_word_s = time.monotonic()
            member = self.members.get(name)
            if member is None:
                return True
            member.has_all = True
            member.has_left = not any(
                one.upstream == name and not one.has_all for one in self.members.values()
            )
            return member.has_left

    def is_over(self) -> bool:
        """Whether all who came have what they came for."""
        with self._lock:
            return bool(self.members) and all(one.has_left for one in self.members.values())

    def _latest(self) -> list[Member]:
        return list(reversed(self.members.values()))

    def _fits(self, giver: Member, name: str, avoid: Collection[str]) -> bool:
        return not giver.has_left and giver.name not in avoid and not self._hangs_on(giver, name)

    def _hangs_on(self, giver: Member, name: str) -> bool:
        """Whether the giver itself gets it from `name`, which would be a circle."""
        above = giver.upstream
        while above is not None:
            if above == name:
                return True
            member = self.members.get(above)
            above = member.upstream if member else None
        return False
