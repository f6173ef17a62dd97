"""Reads along while files come, compares each with its digest, and gives the right ones their name.

Reading along takes the bytes out of memory, where they have just been put, and ends with the last
byte: nothing is read again once all has come.
"""

from __future__ import annotations

import os
import queue
import threading

from node.host import digests
from node.transfer.bundle import Item
from node.transfer.holding import Arriving
from node.transfer.streams import Streams

READERS = 4
CHUNK_BYTES = 1024 * 1024
NOTE_EVERY_S = 2.0


class Checks:
    """One round, beside its streams. Files that are right leave `left`."""

    def __init__(self, arriving: Arriving, left: dict[str, Item], streams: Streams) -> None:
        self._arriving, self._left, self._streams = arriving, left, streams
        self._places: queue.SimpleQueue[str] = queue.SimpleQueue()
        for place in left:
            self._places.put(place)
        self.wrong: list[str] = []

    def follow(self) -> str | None:
        """Until all is here, or the streams have ended; returns why they ended early."""
        self._streams.start()
        readers = [threading.Thread(target=self._read, daemon=True) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        while any(reader.is_alive() for reader in readers):
            for reader in readers:
                reader.join(NOTE_EVERY_S / READERS)
            self._arriving.note()
        self._streams.join()
        return self._streams.lost

    def _read(self) -> None:
        try:
            while not self._streams.over.is_set():
                self._compare(self._places.get_nowait())
        except queue.Empty:
            pass
        except OSError as error:
            self._streams.stop(f"this node cannot read or write: {error.strerror}")

    def _compare(self, place: str) -> None:
        item = self._left[place]
        found, offset = digests.begun(item.digest, item.size), 0
        with self._arriving.path(place).open("rb", buffering=0) as file:
            while offset < item.size:
                ready = self._arriving.available_until(place, offset, self._streams.over)
                if not ready:
                    return
                chunk = os.pread(file.fileno(), min(ready, CHUNK_BYTES), offset)
                found.update(chunk)
                offset += len(chunk)
            if item.digest.endswith(f":{found.hexdigest()}"):
                os.fsync(file.fileno())
                self._arriving.finish(place)
                del self._left[place]
            else:
                self.wrong.append(place)
                self._arriving.forget(place)
