"""An SSH server that takes passwords: OpenSSH's would need accounts on the machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import asyncssh

from pulumi_offline_tests.conformance.ssh_server import Keys

PASSWORD = "open sesame"


class Visited(asyncssh.SSHServer):
    """Remembers its connections: a client may leave them open."""

    connections: ClassVar[list[asyncssh.SSHServerConnection]] = []

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connections.append(conn)


class ByPassword(Visited):
    """Lets the user `visitor` in by password."""

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("visitor", PASSWORD)


class ByAnswer(Visited):
    """Lets the user `visitor` in by an answer to a question."""

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str):
        return "", "", "en", [("Password:", False)]

    def validate_kbdint_response(self, username: str, responses) -> bool:
        return (username, list(responses)) == ("visitor", [PASSWORD])


@contextmanager
def run_password_server(keys: Keys, kind: type[Visited]) -> Iterator[int]:
    """The port of a server that answers each command with `welcome`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        listener = asyncio.run_coroutine_threadsafe(listen(keys, kind), loop).result(10)
        yield listener.get_port()
        asyncio.run_coroutine_threadsafe(close(listener), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def listen(keys: Keys, kind: type[Visited]) -> asyncssh.SSHAcceptor:
    return await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=kind,
        server_host_keys=[str(keys.folder / "host_ed25519")],
        process_factory=welcome,
    )


async def close(listener: asyncssh.SSHAcceptor) -> None:
    listener.close()
    await listener.wait_closed()
    while Visited.connections:
        connection = Visited.connections.pop()
        connection.abort()
        await connection.wait_closed()


def welcome(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stdout.write("welcome\n")
    process.exit(0)
