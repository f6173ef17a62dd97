"""What the gateway is told each second: whether the service may be asked (HAProxy's agent-check).

HAProxy connects, reads one line and closes (its configuration manual, "agent-check"). Nothing is
sent to the gateway, so nothing is lost when either restarts; while nobody answers, it goes on as it
was told last.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from node.host.output import print_now
from node.supervision.listener import PAUSE_S, open_server
from node.supervision.target import GatewayPeer

Word = Literal["ready up", "down", "drain"]
"""`ready up` ends both others. What is under way goes on with each of them."""

HEARD_S = 2.0
"""Each of the gateway's processes asks once a second."""

EMPTY_S = 5.0
"""The engine's figures, read every two seconds, are of requests that came before by then."""

AWAY_S = 5.0
LISTEN_EVERY_S = 10.0
SEND_LIMIT_S = 1.0


@dataclass
class GatewayAgent:
    """Of rank 0's supervisor. `told_s`: since when the word is what it is; `asked_s`: when the
    gateway asked last."""

    peer: GatewayPeer
    endpoint: tuple[str, int]
    word: Word = "down"
    told_s: float = field(default_factory=time.monotonic)
    asked_s: float | None = None
    server: socket.socket | None = None
    tried_s: float = field(default=-LISTEN_EVERY_S)

    def listen(self, now_s: float) -> None:
        """Where the port is taken, it tries again."""
        if self.server is not None or now_s - self.tried_s < LISTEN_EVERY_S:
            return
        self.tried_s = now_s
        address, port = self.endpoint
        try:
            self.server = open_server(address, port)
        except OSError as error:
            print_now(f"cannot listen at {address}:{port} for the gateway: {error.strerror}")
            return
        threading.Thread(target=self._answer, args=(self.server,), daemon=True).start()

    def close(self) -> None:
        if self.server is not None:
            with suppress(OSError):
                self.server.shutdown(socket.SHUT_RDWR)
            self.server.close()
            self.server = None

    def tell(self, is_serving: bool, is_ending: bool, now_s: float) -> None:
        """`is_ending`: somebody wants the ranks ended."""
        word: Word = "down"
        if is_serving:
            word = "drain" if is_ending else "ready up"
        if word != self.word:
            self.word, self.told_s = word, now_s

    def is_heard(self, now_s: float) -> bool:
        """A gateway that does not ask is not waited for."""
        is_away = self.asked_s is None or now_s - self.asked_s > AWAY_S
        return is_away or now_s - self.told_s >= HEARD_S

    def is_drained(self, now_s: float, under_way: float | None) -> bool:
        """`under_way`: the engine's requests, None where not known."""
        if self.word != "drain":
            return self.word == "down"
        age_s = now_s - self.told_s
        return age_s >= self.peer.drain_s or (under_way == 0 and age_s >= EMPTY_S)

    def _answer(self, server: socket.socket) -> None:
        while self.server is server:
            try:
                connection, (host, *_) = server.accept()
            except OSError:
                # No file descriptor is free, or the socket is closed.
                time.sleep(PAUSE_S)
                continue
            with connection, suppress(OSError):
                if host == self.peer.address:
                    connection.settimeout(SEND_LIMIT_S)
                    connection.sendall(f"{self.word}\n".encode())
                    self.asked_s = time.monotonic()
