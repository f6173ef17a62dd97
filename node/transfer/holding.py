"""What a node holds of a parcel: all of it, or what has come so far.

A file is fetched in segments that stand side by side in it. `available` waits for bytes that are
still to come, so whoever reads along (the next node, the comparison) needs to know nothing else.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from node.transfer.bundle import Item, Parcel

SEGMENT_BYTES = 64 * 1024 * 1024
UNFINISHED = ".spread.incomplete"
WAIT_S = 1.0


class Holding(Protocol):
    """What a server needs of it."""

    def path(self, place: str) -> Path: ...
    def available(self, place: str, offset: int) -> int:
        """Bytes that can be read from `offset` on; 0 where none will come any more."""


class Whole:
    """A parcel that is on the disk as a whole."""

    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel

    def path(self, place: str) -> Path:
        return Path(self._parcel.root) / place

    def available(self, place: str, offset: int) -> int:
        return max(0, self._parcel.items[place].size - offset)


def segments(size: int) -> int:
    """
    >>> segments(0), segments(1), segments(SEGMENT_BYTES + 1)
    (1, 1, 2)
    """
    return max(1, -(-size // SEGMENT_BYTES))


def segment_size(size: int, index: int) -> int:
    return min(SEGMENT_BYTES, size - index * SEGMENT_BYTES)


class Arriving:
    """A parcel on its way to this node. All methods may be called by many threads."""

    def __init__(self, root: Path, items: Mapping[str, Item], finished: set[str]) -> None:
        self._root, self._items = root, items
        self._changed = threading.Condition()
        self._finished, self._over = set(finished), threading.Event()
        self._got = {place: [0] * segments(item.size) for place, item in items.items()}
        self._load()

    @property
    def _notes(self) -> Path:
        return self._root / f"notes{UNFINISHED}"

    def path(self, place: str) -> Path:
        """Where its bytes are at this moment."""
        final = self._root / place
        return final if place in self._finished else final.with_name(final.name + UNFINISHED)

    def available(self, place: str, offset: int) -> int:
        return self.available_until(place, offset, self._over)

    def available_until(self, place: str, offset: int, over: threading.Event) -> int:
        """As `available`, for as long as one round of fetching is not over."""
        with self._changed:
            while True:
                ready = self._ready(place, offset)
                if ready or over.is_set() or offset >= self._items[place].size:
                    return ready
                self._changed.wait(WAIT_S)

    def _ready(self, place: str, offset: int) -> int:
        if place in self._finished:
            return self._items[place].size - offset
        index, inside = divmod(offset, SEGMENT_BYTES)
        got = self._got[place]
        return max(0, got[index] - inside) if index < len(got) else 0

    def got(self, place: str, index: int) -> int:
        """Bytes of a segment that are here."""
        return self._got[place][index]

    def add(self, place: str, index: int, count: int) -> None:
        with self._changed:
            self._got[place][index] += count
            self._changed.notify_all()

    def finish(self, place: str) -> None:
        """The file is right: it gets its own name."""
        with self._changed:
            draft = self.path(place)
            os.replace(draft, self._root / place)
            self._finished.add(place)
            self._changed.notify_all()

    def forget(self, place: str) -> None:
        """The file is wrong: it begins anew."""
        with self._changed:
            self._got[place] = [0] * len(self._got[place])
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more will come."""
        self._over.set()
        with self._changed:
            self._changed.notify_all()

    def had(self) -> int:
        """Bytes that are here already."""
        whole = sum(self._items[place].size for place in self._finished)
        return whole + sum(
            sum(got) for place, got in self._got.items() if place not in self._finished
        )

    def note(self) -> None:
        """Keep on the disk how far it is, so that a run after a kill goes on from there."""
        self._notes.parent.mkdir(parents=True, exist_ok=True)
        draft = self._notes.with_name(f"new-{self._notes.name}")
        draft.write_text(json.dumps(self._got))
        os.replace(draft, self._notes)

    def forget_notes(self) -> None:
        for path in (self._notes, self._notes.with_name(f"new-{self._notes.name}")):
            path.unlink(missing_ok=True)

    def _load(self) -> None:
        try:
            noted = json.loads(self._notes.read_text())
        except (FileNotFoundError, ValueError):
            return
        for place, got in self._got.items():
            item, draft = self._items[place], self.path(place)
            if len(noted.get(place, [])) == len(got) and _has_size(draft, item.size):
                self._got[place] = [int(count) for count in noted[place]]


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
