"""Cuts what a command prints into lines for the display, while it runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pulumi_offline.plugins.common.engine_log import ResourceLog

# Go's bufio.MaxScanTokenSize. The official plugin stops reading at a longer line, and its command
# then waits for ever.
LONGEST_LINE_BYTES = 64 * 1024


class LineTooLongError(Exception):
    """A logged line at which the official plugin would hang."""


@dataclass
class LineLog:
    """Shows the lines of the streams that are logged, in the order of their arrival."""

    log: ResourceLog
    logged: frozenset[str]
    pending: bytearray = field(default_factory=bytearray)
    too_long: bool = False
    waiting: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)

    def take(self, stream: str, data: bytes) -> None:
        """Data of one stream; what is not logged is passed over."""
        if stream not in self.logged:
            return
        *complete, unfinished = (bytes(self.pending) + data).split(b"\n")
        self.pending = bytearray(unfinished)
        longest = max(len(line) for line in (*complete, unfinished))
        self.too_long = self.too_long or longest >= LONGEST_LINE_BYTES
        for line in complete:
            self.waiting.put_nowait(line)

    def finish(self) -> None:
        """No more data comes: the last line may lack its newline."""
        if self.pending:
            self.waiting.put_nowait(bytes(self.pending))
        self.waiting.put_nowait(None)

    async def show(self) -> None:
        """Sends lines to the engine until the end.

        Raises LineTooLong at the end if there was such a line.
        """
        while (line := await self.waiting.get()) is not None:
            if not self.too_long:
                await self.log.show_status(line.removesuffix(b"\r").decode(errors="replace"))
        if self.too_long:
            raise LineTooLongError(
                f"a printed line has {LONGEST_LINE_BYTES} bytes or more: the official plugin "
                "hangs at such a line; set logging to none, or print shorter lines"
            )
