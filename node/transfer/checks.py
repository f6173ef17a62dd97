"""Reads files while they arrive, compares each with its digest, and renames those that match.

This reads the bytes out of memory, where they have just been written, and ends with the last byte:
nothing is read again once all has arrived.
"""

from __future__ import annotations

import os
import queue
import threading

from node.host import digests
from node.transfer.bundle import Item
from node.transfer.holding import IncomingBundle
from node.transfer.streams import Streams

READERS = 4
CHUNK_BYTES = 1024 * 1024
NOTE_EVERY_S = 2.0


class DigestChecks:
    """One round, beside its streams. Files with the right digest leave `missing`."""

    def __init__(
        self, incoming: IncomingBundle, missing: dict[str, Item], streams: Streams
    ) -> None:
        self._incoming, self._missing, self._streams = incoming, missing, streams
        self._paths: queue.SimpleQueue[str] = queue.SimpleQueue()
        for path in missing:
            self._paths.put(path)
        self.mismatched: list[str] = []

    def run(self) -> str | None:
        """Run until all is present or the streams have ended; returns why they ended early."""
        self._streams.start()
        readers = [threading.Thread(target=self._run_reader, daemon=True) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        while any(reader.is_alive() for reader in readers):
            for reader in readers:
                reader.join(NOTE_EVERY_S / READERS)
            self._incoming.save_progress()
        self._streams.join()
        return self._streams.failure

    def _run_reader(self) -> None:
        try:
            while not self._streams.over.is_set():
                self._compare(self._paths.get_nowait())
        except queue.Empty:
            pass
        except OSError as error:
            self._streams.stop(f"this node cannot read or write: {error.strerror}")

    def _compare(self, path: str) -> None:
        item = self._missing[path]
        hasher, offset = digests.new_hash(item.digest, item.size), 0
        with self._incoming.path(path).open("rb", buffering=0) as file:
            while offset < item.size:
                available = self._incoming.wait_for_bytes(path, offset, self._streams.over)
                if not available:
                    return
                chunk = os.pread(file.fileno(), min(available, CHUNK_BYTES), offset)
                hasher.update(chunk)
                offset += len(chunk)
            if item.digest.endswith(f":{hasher.hexdigest()}"):
                os.fsync(file.fileno())
                self._incoming.finish(path)
                del self._missing[path]
            else:
                self.mismatched.append(path)
                self._incoming.reset(path)
