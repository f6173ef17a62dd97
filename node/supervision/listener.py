"""A follower's ear: takes the coordinator's orders, and answers with this node's report.

Only members' addresses are heard, and at most 16 connections at once: one more ends the oldest,
which has not proved anything, or it would be over. So whoever floods the port costs a little
memory, and neither starts nor stops anything.
"""

from __future__ import annotations

import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from node.supervision.envelope import (
    PROTOCOL,
    Hello,
    MessageError,
    Seal,
    create_nonce,
    read_envelope,
    write_line,
)
from node.supervision.lines import receive_line
from node.supervision.messages import MemberReport, Order

CONNECTIONS = 16
BACKLOG = 128
"""The kernel's queue: a caller that finds it full tries again a second later."""

EXCHANGE_LIMIT_S = 3.0
PAUSE_S = 0.2
Answer = Callable[[Order], MemberReport]
"""Takes an order that is proved; returns this node's report."""


class OrderListener:
    """Listens at this node's address until it is closed."""

    def __init__(
        self, server: socket.socket, members: frozenset[str], key: str, token: str, answer: Answer
    ) -> None:
        self._server, self._members = server, members
        self._key, self._token, self._answer = key, token, answer
        self._open: OrderedDict[int, socket.socket] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, (host, *_) = self._server.accept()
            except OSError:
                # No file descriptor is free, or the socket is closed.
                self._closed.wait(PAUSE_S)
                continue
            if host not in self._members:
                connection.close()
                continue
            self._make_room()
            with self._lock:
                self._open[id(connection)] = connection
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _make_room(self) -> None:
        with self._lock:
            excess = len(self._open) - CONNECTIONS + 1
            oldest = [self._open.popitem(last=False)[1] for _ in range(max(0, excess))]
        for connection in oldest:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError, MessageError):
                self._exchange(connection)
        finally:
            with self._lock:
                self._open.pop(id(connection), None)

    def _exchange(self, connection: socket.socket) -> None:
        connection.settimeout(EXCHANGE_LIMIT_S)
        hello = Hello(PROTOCOL, create_nonce())
        connection.sendall(write_line(hello))
        envelope = read_envelope(receive_line(connection, EXCHANGE_LIMIT_S))
        seal = Seal(self._key, self._token, hello.nonce, envelope.nonce)
        order = seal.read("order", envelope, Order)
        connection.sendall(seal.write("report", self._answer(order)))


def open_server(address: str, port: int) -> socket.socket:
    """Raises OSError where the port is taken or the address is not this node's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)
