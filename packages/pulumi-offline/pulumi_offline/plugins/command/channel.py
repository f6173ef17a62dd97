"""An SSH channel for one command, on which the server is asked whether it takes each variable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import asyncssh
from asyncssh.channel import SSHClientChannel
from asyncssh.packet import String

# asyncssh's own defaults, which it keeps private.
WINDOW_BYTES = 2 * 1024 * 1024
PACKET_BYTES = 32 * 1024


class ChannelError(Exception):
    """A command that could not be started on a connection that is up."""


@dataclass
class CommandOutput(asyncssh.SSHClientSession[bytes]):
    """Takes what one command prints and how it ended."""

    stdin: bytes
    on_data: Callable[[str, bytes], None]
    end: asyncio.Future[Exception | None]
    channel: SSHClientChannel[bytes] | None = None
    status: int | None = None
    signal: str | None = None
    unread: bool = False
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    combined: bytearray = field(default_factory=bytearray)

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    def session_started(self) -> None:
        """A command that reads nothing may be over by now, and its channel closed: that is a
        failure only where there was something to read, as with the official plugin."""
        assert self.channel
        try:
            self.channel.write(self.stdin)
            self.channel.write_eof()
        except BrokenPipeError:
            self.unread = bool(self.stdin)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        name = "stdout" if datatype is None else "stderr"
        (self.stdout if datatype is None else self.stderr).extend(data)
        self.combined.extend(data)
        self.on_data(name, data)

    def exit_status_received(self, status: int) -> None:
        self.status = status
        # A command that leaves more input unread than the server's window holds fails with the
        # official plugin, whatever its exit status.
        self.unread |= self.channel is not None and self.channel.get_write_buffer_size() > 0

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.signal = signal

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.end.done():
            self.end.set_result(exc)


class AskingChannel(SSHClientChannel[bytes]):
    """asyncssh sends variables without asking for an answer; this channel asks.

    It leans on parts of asyncssh's channel that are not public (`_open`, `_make_request`,
    `_start_reading`, `_session`); the conformance tests fail if they change.
    """

    async def open(self, output: CommandOutput) -> None:
        packet = await self._open(b"session")
        packet.check_end()
        self._session = output
        output.connection_made(self)

    async def set_variable(self, name: str, value: str) -> bool:
        """Whether the server takes a variable for the command to come."""
        return bool(await self._make_request(b"env", String(name), String(value)))

    async def execute(self, output: CommandOutput, command: str) -> None:
        """Starts the command. Raises ChannelError if the server refuses."""
        if not await self._make_request(b"exec", String(command)):
            raise ChannelError("ssh: command failed to start")
        output.session_started()
        await self._start_reading()


def create_channel(connection: asyncssh.SSHClientConnection) -> AskingChannel:
    """A channel for bytes on a connection."""
    loop = asyncio.get_running_loop()
    return AskingChannel(connection, loop, "strict", None, "strict", WINDOW_BYTES, PACKET_BYTES)
