"""A node's SSH server on loopback, in this process, that behaves as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncssh

from sparkform.ssh.target import Target

USER = "nvidia"
Process = asyncssh.SSHServerProcess[bytes]
Program = Callable[[Process], Awaitable[None]]


@functools.cache
def generate_key(algorithm: str = "ssh-ed25519", number: int = 0) -> asyncssh.SSHKey:
    """One key for each number; made once, for an RSA key takes its time."""
    return asyncssh.generate_private_key(algorithm)


def format_public_key(private_key: asyncssh.SSHKey) -> str:
    return " ".join(private_key.export_public_key("openssh").decode().split()[:2])


@dataclass
class LoopbackNode:
    """The running server: where it is, how often it was logged in to and asked to run something."""

    port: int = 0
    connections: int = 0
    commands: list[str] = field(default_factory=list)

    def build_target(self, folder: Path, **changes: object) -> Target:
        """A target that would reach it with success, changed as asked."""
        known_hosts = folder / "known_hosts"
        identity = folder / "identity"
        if not identity.exists():
            identity.write_bytes(generate_key(number=1).export_private_key("openssh"))
        base = Target(
            name="spark-1",
            host="127.0.0.1",
            port=self.port,
            user=USER,
            host_key=format_public_key(generate_key()),
            known_hosts_file=known_hosts,
            identity_file=identity,
        )
        return replace(base, **changes)  # type: ignore[arg-type]


class _Server(asyncssh.SSHServer):
    def __init__(self, node: LoopbackNode, jumps: bool) -> None:
        self.node, self.jumps = node, jumps

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.node.connections += 1

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, offered: asyncssh.SSHKey) -> bool:
        return username == USER and format_public_key(offered) == format_public_key(
            generate_key(number=1)
        )

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        return self.jumps


@contextlib.asynccontextmanager
async def run_server(
    program: Program, host_keys: tuple[asyncssh.SSHKey, ...] = (), jumps: bool = False
) -> AsyncIterator[LoopbackNode]:
    """A server that runs `program` for each command."""
    node = LoopbackNode()

    async def handle(process: Process) -> None:
        node.commands.append(process.command or "")
        await program(process)

    server = await asyncssh.create_server(
        lambda: _Server(node, jumps),
        "127.0.0.1",
        0,
        server_host_keys=list(host_keys or (generate_key(),)),
        process_factory=handle,
        encoding=None,
        agent_forwarding=False,
    )
    node.port = server.get_port()
    try:
        yield node
    finally:
        server.close()
        await server.wait_closed()


@contextlib.contextmanager
def serve_node(program: Program) -> Iterator[LoopbackNode]:
    """A node's SSH server in a thread of its own."""
    ready, stopped, nodes = threading.Event(), asyncio.Event(), []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with run_server(program) as node:
            nodes.append(node)
            ready.set()
            await stopped.wait()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield nodes[0]
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)
        loop.close()


def answer(out: bytes = b"", err: bytes = b"", exit_status: int = 0) -> Program:
    """Takes the program that is sent, then prints and ends."""

    async def run(process: Process) -> None:
        await process.stdin.read()
        process.stdout.write(out)
        process.stderr.write(err)
        process.exit(exit_status)

    return run


async def hang(process: Process) -> None:
    await asyncio.sleep(30)


async def drop_connection(process: Process) -> None:
    process.channel.get_connection().abort()


async def run_here(process: Process) -> None:
    """Runs the command here, without sudo and with this Python."""
    text = (process.command or "").replace("sudo -n -- python3", sys.executable)
    child = await asyncio.create_subprocess_shell(
        text,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await child.communicate(await process.stdin.read())
    except asyncio.CancelledError:
        child.kill()
        await child.communicate()
        raise
    process.stdout.write(out)
    process.stderr.write(err)
    process.exit(child.returncode or 0)


@contextlib.asynccontextmanager
async def open_port(closes: bool) -> AsyncIterator[int]:
    """A port that accepts and says nothing, or accepts and closes."""
    release = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not closes:
            await release.wait()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        release.set()
        server.close()
        await server.wait_closed()


@contextlib.contextmanager
def run_agent(path: Path, keys: Sequence[asyncssh.SSHKey]) -> Iterator[str]:
    """A real ssh-agent that holds these keys; its socket."""
    with subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL
    ) as process:
        try:
            while not _is_listening(path):
                time.sleep(0.02)
            asyncio.run(_add_keys(path, keys))
            yield str(path)
        finally:
            process.terminate()


def _is_listening(path: Path) -> bool:
    """The socket is there a moment before the agent listens at it."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


async def _add_keys(path: Path, keys: Sequence[asyncssh.SSHKey]) -> None:
    client = await asyncssh.connect_agent(str(path))
    await client.add_keys(keys)
    client.close()
    await client.wait_closed()
