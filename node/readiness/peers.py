"""How the watches of one service inform each other: no node has a login on another.

A worker's watch listens at its management address, on the port that is its supervisor's afterwards;
the head's watch asks every worker in turn. Both name the service's token. Messages
hold a failure, and for how long the rank has been silent: ranks wait for each other, so only all of
them together hang. Without the other watch, each goes on alone.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Any

from node.readiness.failure import StartFailure
from node.readiness.target import WatchTarget

ASK_PAUSE_S = 1.5
ASK_TIMEOUT_S = 1.0
NOTIFY_LIMIT_S = 6.0
"""How long a worker waits for the head to fetch its failure."""

LONGEST = 65536


@dataclass
class PeerChannel:
    """What this watch knows from the others, and what it sends them.

    `own_progress_s` and `peer_progress_s`: when this rank, and another one, last showed progress.
    """

    token: str
    peer_failure: StartFailure | None = None
    own_failure: StartFailure | None = None
    own_progress_s: float = field(default_factory=time.monotonic)
    peer_progress_s: float = 0.0
    delivered: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)

    def answer(self, text: bytes) -> bytes:
        """Take another watch's message; returns ours. Raises ValueError."""
        self.receive(text)
        return self.build_message()

    def receive(self, text: bytes) -> None:
        """Raises ValueError for what is not of this service."""
        message: Any = json.loads(text)
        if not isinstance(message, dict) or message.get("token") != self.token:
            raise ValueError("of another service")
        if not isinstance(message.get("silent_s"), int | float):
            raise ValueError("of another version")
        self.peer_progress_s = max(
            self.peer_progress_s, time.monotonic() - float(message["silent_s"])
        )
        if isinstance(message.get("failed"), dict) and self.peer_failure is None:
            self.peer_failure = _parse_failure(message["failed"])

    def build_message(self) -> bytes:
        message = {
            "token": self.token,
            "silent_s": round(time.monotonic() - self.own_progress_s, 1),
            "failed": asdict(self.own_failure) if self.own_failure else None,
        }
        return json.dumps(message).encode() + b"\n"


def start(target: WatchTarget) -> PeerChannel:
    """Listen or poll until `closed`. Where the port is taken, the watch goes on alone."""
    channel = PeerChannel(target.token)
    if target.is_head:
        addresses = [(peer.address, target.watch_port) for peer in target.peers]
        thread = threading.Thread(target=_poll, args=(channel, addresses), daemon=True)
    else:
        try:
            server = socket.create_server((target.local_rank.address, target.watch_port))
        except OSError:
            channel.delivered.set()  # Nobody can fetch anything: there is nothing to wait for.
            return channel
        thread = threading.Thread(target=_listen, args=(channel, server), daemon=True)
    thread.start()
    return channel


def notify(channel: PeerChannel, target: WatchTarget, failure: StartFailure) -> None:
    """Inform the others, so that they stop their ranks while this one is stopped."""
    channel.own_failure = failure
    if target.is_head:
        _query_all(channel, [(peer.address, target.watch_port) for peer in target.peers])


def linger(channel: PeerChannel, target: WatchTarget) -> None:
    """A worker stays until the head has fetched its failure, unless it came from there."""
    if not target.is_head and channel.peer_failure is None:
        channel.delivered.wait(NOTIFY_LIMIT_S)
    channel.closed.set()


def _poll(channel: PeerChannel, addresses: list[tuple[str, int]]) -> None:
    while addresses and not channel.closed.wait(ASK_PAUSE_S):
        _query_all(channel, addresses)


def _query_all(channel: PeerChannel, addresses: Iterable[tuple[str, int]]) -> None:
    targets = list(addresses)
    with ThreadPoolExecutor(max_workers=max(1, len(targets))) as pool:
        list(pool.map(lambda target: _query(channel, target), targets))


def _query(channel: PeerChannel, address: tuple[str, int]) -> None:
    with (
        suppress(OSError, ValueError),
        socket.create_connection(address, ASK_TIMEOUT_S) as connection,
    ):
        connection.settimeout(ASK_TIMEOUT_S)
        connection.sendall(channel.build_message())
        channel.receive(_read_line(connection))


def _listen(channel: PeerChannel, server: socket.socket) -> None:
    with server:
        server.settimeout(ASK_TIMEOUT_S)
        while not channel.closed.is_set():
            with suppress(TimeoutError, OSError, ValueError):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(ASK_TIMEOUT_S)
                    connection.sendall(channel.answer(_read_line(connection)))
                    if channel.own_failure:
                        channel.delivered.set()


def _read_line(connection: socket.socket) -> bytes:
    """One line, within a time for all of it: a slow peer is given up."""
    deadline, data = time.monotonic() + ASK_TIMEOUT_S, b""
    while not data.endswith(b"\n"):
        if len(data) > LONGEST or time.monotonic() > deadline:
            raise ValueError("no line")
        part = connection.recv(LONGEST)
        if not part:
            raise ValueError("closed")
        data += part
    return data


def _parse_failure(fields: Mapping[str, object]) -> StartFailure:
    """Raises ValueError where it is not one."""
    names = {field.name for field in dataclass_fields(StartFailure)}
    if set(fields) != names:
        raise ValueError("of another version")
    values: Any = fields
    return StartFailure(**values)
