"""How the watches of one service tell each other what they see: no node has a login on another.

A worker's watch listens on the service's own port number at its management address, where its rank
serves nothing; the head's watch asks every worker in turn. Both name the service's token. What is
told is a failure, and for how long the rank has been silent: ranks wait for each other, so only all
of them together hang. Without the other watch, each goes on alone.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from node.readiness.judge import Failure
from node.readiness.wanted import Wanted

ASK_PAUSE_S = 1.5
ASK_TIMEOUT_S = 1.0
TELL_LIMIT_S = 6.0
"""How long a worker waits until the head has heard of its failure."""

LONGEST = 65536


@dataclass
class Channel:
    """What this watch knows from the others, and what it has to tell them.

    `own_sign_s` and `sign_s`, of this rank and of the others: when one last showed progress.
    """

    token: str
    heard: Failure | None = None
    own: Failure | None = None
    own_sign_s: float = field(default_factory=time.monotonic)
    sign_s: float = 0.0
    told: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)

    def take(self, text: bytes) -> bytes:
        """One question or answer of another watch; returns ours. Raises ValueError."""
        self.hear(text)
        return self.words()

    def hear(self, text: bytes) -> None:
        """Raises ValueError for what is not of this service."""
        found: Any = json.loads(text)
        if not isinstance(found, dict) or found.get("token") != self.token:
            raise ValueError("of another service")
        if not isinstance(found.get("silent_s"), int | float):
            raise ValueError("of another version")
        self.sign_s = max(self.sign_s, time.monotonic() - float(found["silent_s"]))
        if isinstance(found.get("failed"), dict) and self.heard is None:
            self.heard = _failure(found["failed"])

    def words(self) -> bytes:
        said = {
            "token": self.token,
            "silent_s": round(time.monotonic() - self.own_sign_s, 1),
            "failed": asdict(self.own) if self.own else None,
        }
        return json.dumps(said).encode() + b"\n"


def start(wanted: Wanted) -> Channel:
    """Listen or ask until `closed`. A port that is taken leaves the watch alone."""
    channel = Channel(wanted.token)
    if wanted.is_head:
        addresses = [(one.address, wanted.port) for one in wanted.others]
        work = threading.Thread(target=_ask_on, args=(channel, addresses), daemon=True)
    else:
        try:
            server = socket.create_server((wanted.here.address, wanted.port))
        except OSError:
            channel.told.set()  # Nobody can fetch anything: there is nothing to wait for.
            return channel
        work = threading.Thread(target=_listen, args=(channel, server), daemon=True)
    work.start()
    return channel


def tell(channel: Channel, wanted: Wanted, failure: Failure) -> None:
    """Let the others know, so that they end their ranks while this one is ended."""
    channel.own = failure
    if wanted.is_head:
        _ask_all(channel, [(one.address, wanted.port) for one in wanted.others])


def linger(channel: Channel, wanted: Wanted) -> None:
    """A worker stays until the head has fetched its failure, unless it came from there."""
    if not wanted.is_head and channel.heard is None:
        channel.told.wait(TELL_LIMIT_S)
    channel.closed.set()


def _ask_on(channel: Channel, addresses: list[tuple[str, int]]) -> None:
    while addresses and not channel.closed.wait(ASK_PAUSE_S):
        _ask_all(channel, addresses)


def _ask_all(channel: Channel, addresses: Iterable[tuple[str, int]]) -> None:
    places = list(addresses)
    with ThreadPoolExecutor(max_workers=max(1, len(places))) as pool:
        list(pool.map(lambda place: _ask(channel, place), places))


def _ask(channel: Channel, address: tuple[str, int]) -> None:
    with suppress(OSError, ValueError), socket.create_connection(address, ASK_TIMEOUT_S) as line:
        line.settimeout(ASK_TIMEOUT_S)
        line.sendall(channel.words())
        channel.hear(_read_line(line))


def _listen(channel: Channel, server: socket.socket) -> None:
    with server:
        server.settimeout(ASK_TIMEOUT_S)
        while not channel.closed.is_set():
            with suppress(TimeoutError, OSError, ValueError):
                line, _ = server.accept()
                with line:
                    line.settimeout(ASK_TIMEOUT_S)
                    line.sendall(channel.take(_read_line(line)))
                    if channel.own:
                        channel.told.set()


def _read_line(line: socket.socket) -> bytes:
    """Up to the end of the line, within a time for all of it: a dripping peer is given up."""
    deadline, data = time.monotonic() + ASK_TIMEOUT_S, b""
    while not data.endswith(b"\n"):
        if len(data) > LONGEST or time.monotonic() > deadline:
            raise ValueError("no line")
        part = line.recv(LONGEST)
        if not part:
            raise ValueError("closed")
        data += part
    return data


def _failure(found: dict[str, Any]) -> Failure:
    """Raises ValueError where it is not one."""
    try:
        return Failure(**found)
    except TypeError as error:
        raise ValueError(str(error)) from None
