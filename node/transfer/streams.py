"""Several streams from one giver at once, over all its addresses, into the places of the files."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.host.progress import Progress
from node.transfer.bundle import Item
from node.transfer.caller import Caller, Lost, into
from node.transfer.holding import SEGMENT_BYTES, Arriving, segment_size, segments

STREAMS_PER_ADDRESS = 4
"""One Python thread moves some GB/s at most; a Spark's port has two halves of 100 Gb/s each."""
BUFFER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Giver:
    """Who is fetched from, and how it is reached."""

    who: str
    addresses: Sequence[str]
    port: int
    key: str


@dataclass(frozen=True)
class Segment:
    place: str
    index: int


class Streams:
    """One round of fetching. `lost` says why it ended early."""

    def __init__(
        self,
        giver: Giver,
        name: str,
        arriving: Arriving,
        left: dict[str, Item],
        progress: Progress,
    ) -> None:
        self._giver, self._name, self._arriving = giver, name, arriving
        self._sizes = {place: item.size for place, item in left.items()}
        self._progress = progress
        self._tasks: queue.SimpleQueue[Segment] = queue.SimpleQueue()
        for task in self._missing(left):
            self._tasks.put(task)
        self.over = threading.Event()
        self.lost: str | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(address,), daemon=True)
            for address in giver.addresses
            for _ in range(STREAMS_PER_ADDRESS)
        ]

    def _missing(self, left: Iterable[str]) -> list[Segment]:
        return [
            Segment(place, index)
            for place in left
            for index in range(segments(self._sizes[place]))
            if self._arriving.got(place, index) < segment_size(self._sizes[place], index)
        ]

    def start(self) -> None:
        """Make room for every file, and begin."""
        for place, size in self._sizes.items():
            draft = self._arriving.path(place)
            draft.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("ab") as file:
                file.truncate(size)
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def are_running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def stop(self, reason: str) -> None:
        self.lost = self.lost or reason
        self.over.set()

    def _run(self, address: str) -> None:
        caller = Caller(self._giver.key, address, self._giver.port)
        buffer = memoryview(bytearray(BUFFER_BYTES))
        try:
            while not self.over.is_set():
                self._fetch(caller, self._tasks.get_nowait(), buffer)
        except queue.Empty:
            pass
        except Lost as lost:
            self.stop(str(lost))
        except OSError as error:
            self.stop(f"this node cannot write: {error.strerror}")
        finally:
            caller.close()

    def _fetch(self, caller: Caller, task: Segment, buffer: memoryview) -> None:
        begin = task.index * SEGMENT_BYTES
        end = begin + segment_size(self._sizes[task.place], task.index)
        start = begin + self._arriving.got(task.place, task.index)
        response = caller.bytes_of(self._name, task.place, start, end)
        handle = os.open(self._arriving.path(task.place), os.O_WRONLY)
        try:
            while start < end and not self.over.is_set():
                count = into(response, buffer[: end - start])
                if not count:
                    raise Lost(f"{caller.place} ended in the middle of {task.place}")
                _write(handle, buffer[:count], start)
                start += count
                self._arriving.add(task.place, task.index, count)
                self._progress.more(count)
        finally:
            os.close(handle)
        if start == end:
            response.read()


def _write(handle: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(handle, data, offset)
        data, offset = data[written:], offset + written
