"""Several streams from one sender at once, over all its addresses, into the files."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.host.progress import TransferProgress
from node.transfer.bundle import Item
from node.transfer.caller import ConnectionLost, TransferClient, read_into
from node.transfer.holding import SEGMENT_BYTES, IncomingBundle, count_segments, get_segment_size

STREAMS_PER_ADDRESS = 4
"""One Python thread moves a few GB/s at most; a Spark's port has two halves of 100 Gb/s each."""
BUFFER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Sender:
    """A node to fetch from, and how it is reached."""

    node: str
    addresses: Sequence[str]
    port: int
    key: str


@dataclass(frozen=True)
class FileSegment:
    path: str
    index: int


class Streams:
    """One round of fetching. `failure` says why it ended early."""

    def __init__(
        self,
        sender: Sender,
        name: str,
        incoming: IncomingBundle,
        missing: dict[str, Item],
        progress: TransferProgress,
    ) -> None:
        self._sender, self._name, self._incoming = sender, name, incoming
        self._sizes = {path: item.size for path, item in missing.items()}
        self._progress = progress
        self._tasks: queue.SimpleQueue[FileSegment] = queue.SimpleQueue()
        for task in self._list_missing_segments(missing):
            self._tasks.put(task)
        self.over = threading.Event()
        self.failure: str | None = None
        self._threads = [
            threading.Thread(target=self._run_stream, args=(address,), daemon=True)
            for address in sender.addresses
            for _ in range(STREAMS_PER_ADDRESS)
        ]

    def _list_missing_segments(self, paths: Iterable[str]) -> list[FileSegment]:
        return [
            FileSegment(path, index)
            for path in paths
            for index in range(count_segments(self._sizes[path]))
            if self._incoming.get_received(path, index) < get_segment_size(self._sizes[path], index)
        ]

    def start(self) -> None:
        """Create every file with its size, and start."""
        for path, size in self._sizes.items():
            draft = self._incoming.path(path)
            draft.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("ab") as file:
                file.truncate(size)
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def stop(self, reason: str) -> None:
        self.failure = self.failure or reason
        self.over.set()

    def _run_stream(self, address: str) -> None:
        client = TransferClient(self._sender.key, address, self._sender.port)
        buffer = memoryview(bytearray(BUFFER_BYTES))
        try:
            while not self.over.is_set():
                self._fetch_segment(client, self._tasks.get_nowait(), buffer)
        except queue.Empty:
            pass
        except ConnectionLost as broken:
            self.stop(str(broken))
        except OSError as error:
            self.stop(f"this node cannot write: {error.strerror}")
        finally:
            client.close()

    def _fetch_segment(self, client: TransferClient, task: FileSegment, buffer: memoryview) -> None:
        segment_start = task.index * SEGMENT_BYTES
        end = segment_start + get_segment_size(self._sizes[task.path], task.index)
        start = segment_start + self._incoming.get_received(task.path, task.index)
        response = client.get_range(self._name, task.path, start, end)
        handle = os.open(self._incoming.path(task.path), os.O_WRONLY)
        try:
            while start < end and not self.over.is_set():
                count = read_into(response, buffer[: end - start])
                if not count:
                    raise ConnectionLost(
                        f"{client.endpoint} closed the connection in the middle of {task.path}"
                    )
                _write(handle, buffer[:count], start)
                start += count
                self._incoming.add(task.path, task.index, count)
                self._progress.add(count)
        finally:
            os.close(handle)
        if start == end:
            response.read()


def _write(handle: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(handle, data, offset)
        data, offset = data[written:], offset + written
