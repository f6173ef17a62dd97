"""The files of a bundle on a node: all of them, or what has arrived so far.

A file is fetched in segments that stand side by side in it. `count_available` waits for
bytes that are still to come, so readers (the next node, the digests) need to know nothing else.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from node.transfer.bundle import Bundle, Item

SEGMENT_BYTES = 64 * 1024 * 1024
UNFINISHED = ".spread.incomplete"
WAIT_S = 1.0


class ReadableBundle(Protocol):
    """What a server needs of a bundle."""

    def path(self, path: str) -> Path: ...
    def count_available(self, path: str, offset: int) -> int:
        """Bytes that can be read from `offset` on; 0 where no more will arrive."""


class CompleteBundle:
    """A bundle that is on the disk as a whole."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def path(self, path: str) -> Path:
        return Path(self._bundle.root) / path

    def count_available(self, path: str, offset: int) -> int:
        return max(0, self._bundle.items[path].size - offset)


def count_segments(size: int) -> int:
    """
    >>> count_segments(0), count_segments(1), count_segments(SEGMENT_BYTES + 1)
    (1, 1, 2)
    """
    return max(1, -(-size // SEGMENT_BYTES))


def get_segment_size(size: int, index: int) -> int:
    return min(SEGMENT_BYTES, size - index * SEGMENT_BYTES)


class IncomingBundle:
    """A bundle on its way to this node. Safe for many threads."""

    def __init__(self, root: Path, items: Mapping[str, Item], finished: set[str]) -> None:
        self._root, self._items = root, items
        self._changed = threading.Condition()
        self._finished, self._over = set(finished), threading.Event()
        self._received = {path: [0] * count_segments(item.size) for path, item in items.items()}
        self._load_progress()

    @property
    def _progress_file(self) -> Path:
        return self._root / f"notes{UNFINISHED}"

    def path(self, path: str) -> Path:
        """The file that has its bytes at this moment."""
        final = self._root / path
        return final if path in self._finished else final.with_name(final.name + UNFINISHED)

    def count_available(self, path: str, offset: int) -> int:
        return self.wait_for_bytes(path, offset, self._over)

    def wait_for_bytes(self, path: str, offset: int, over: threading.Event) -> int:
        """As `count_available`, for as long as one round of fetching is not over."""
        with self._changed:
            while True:
                available = self._count_readable(path, offset)
                if available or over.is_set() or offset >= self._items[path].size:
                    return available
                self._changed.wait(WAIT_S)

    def _count_readable(self, path: str, offset: int) -> int:
        if path in self._finished:
            return self._items[path].size - offset
        index, segment_offset = divmod(offset, SEGMENT_BYTES)
        received = self._received[path]
        return max(0, received[index] - segment_offset) if index < len(received) else 0

    def get_received(self, path: str, index: int) -> int:
        """Bytes of a segment that are present."""
        return self._received[path][index]

    def add(self, path: str, index: int, count: int) -> None:
        with self._changed:
            self._received[path][index] += count
            self._changed.notify_all()

    def finish(self, path: str) -> None:
        """The digest is right: the file gets its own name."""
        with self._changed:
            draft = self.path(path)
            os.replace(draft, self._root / path)
            self._finished.add(path)
            self._changed.notify_all()

    def reset(self, path: str) -> None:
        """The digest is wrong: the file is fetched again."""
        with self._changed:
            self._received[path] = [0] * len(self._received[path])
            self._changed.notify_all()

    def close(self) -> None:
        """No more bytes will arrive."""
        self._over.set()
        with self._changed:
            self._changed.notify_all()

    def count_received(self) -> int:
        """Bytes that are present, of finished and unfinished files."""
        finished_bytes = sum(self._items[path].size for path in self._finished)
        return finished_bytes + sum(
            sum(received) for path, received in self._received.items() if path not in self._finished
        )

    def save_progress(self) -> None:
        """Save the progress on the disk, so that a run after a kill resumes from there."""
        self._progress_file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._progress_file.with_name(f"new-{self._progress_file.name}")
        draft.write_text(json.dumps(self._received))
        os.replace(draft, self._progress_file)

    def remove_progress(self) -> None:
        for path in (
            self._progress_file,
            self._progress_file.with_name(f"new-{self._progress_file.name}"),
        ):
            path.unlink(missing_ok=True)

    def _load_progress(self) -> None:
        try:
            saved = json.loads(self._progress_file.read_text())
        except (FileNotFoundError, ValueError):
            return
        for path, received in self._received.items():
            item, draft = self._items[path], self.path(path)
            if len(saved.get(path, [])) == len(received) and _has_size(draft, item.size):
                self._received[path] = [int(count) for count in saved[path]]


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
