"""Who fetches from whom: each receiver that joins gets the last one of the chain before it.

A chain loads each link once, however many receive; the source sends one copy only. The order is
that of joining, so the receivers need not be known beforehand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass
class ChainMember:
    """A receiver: where it serves, from which one it fetches (None: the source), how far it is."""

    name: str
    addresses: tuple[str, ...]
    port: int
    upstream: str | None
    has_all: bool = False
    has_left: bool = False


@dataclass
class Chain:
    """The receivers of one bundle. Safe for many threads."""

    members: dict[str, ChainMember] = field(default_factory=dict)
    last_contact_s: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def join(
        self, name: str, addresses: tuple[str, ...], port: int, avoid: Collection[str]
    ) -> ChainMember | None:
        """The receiver that `name` fetches from; None: the source. `avoid`: those that failed."""
        with self._lock:
            self.last_contact_s = time.monotonic()
            self.members.pop(name, None)
            upstream_member = next(
                (
                    member
                    for member in self._list_latest_first()
                    if self._can_serve(member, name, avoid)
                ),
                None,
            )
            upstream = upstream_member.name if upstream_member else None
            self.members[name] = ChainMember(name, addresses, port, upstream)
            return upstream_member

    def mark_complete(self, name: str) -> bool:
        """`name` has all; returns whether no other receiver fetches from it any more."""
        with self._lock:
            self.last_contact_s = time.monotonic()
            member = self.members.get(name)
            if member is None:
                return True
            member.has_all = True
            member.has_left = not any(
                receiver.upstream == name and not receiver.has_all
                for receiver in self.members.values()
            )
            return member.has_left

    def is_over(self) -> bool:
        """Whether all receivers that joined have all and have left."""
        with self._lock:
            return bool(self.members) and all(member.has_left for member in self.members.values())

    def _list_latest_first(self) -> list[ChainMember]:
        return list(reversed(self.members.values()))

    def _can_serve(self, member: ChainMember, name: str, avoid: Collection[str]) -> bool:
        return (
            not member.has_left
            and member.name not in avoid
            and not self._fetches_from(member, name)
        )

    def _fetches_from(self, candidate: ChainMember, name: str) -> bool:
        """Whether the candidate itself fetches from `name`, which would be a circle."""
        upstream = candidate.upstream
        while upstream is not None:
            if upstream == name:
                return True
            member = self.members.get(upstream)
            upstream = member.upstream if member else None
        return False
