"""The coordinator's voice: brings a follower its order, and takes its report."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from node.supervision.envelope import (
    MessageError,
    OtherVersionError,
    Seal,
    create_nonce,
    read_envelope,
    read_hello,
)
from node.supervision.lines import receive_line
from node.supervision.messages import MemberReport, Order

ASK_PAUSE_S = 1.0
ASK_LIMIT_S = 3.0
UPGRADE_LIMIT_S = 60.0
"""How long nodes may have different versions of the program, as in an `up`."""


def exchange(address: tuple[str, int], key: str, token: str, order: Order) -> MemberReport:
    """Raises OSError where nobody answers in time, and MessageError for another's answer."""
    with socket.create_connection(address, ASK_LIMIT_S) as connection:
        connection.settimeout(ASK_LIMIT_S)
        hello = read_hello(receive_line(connection, ASK_LIMIT_S))
        seal = Seal(key, token, hello.nonce, create_nonce())
        connection.sendall(seal.write("order", order))
        answer = read_envelope(receive_line(connection, ASK_LIMIT_S))
        return seal.read("report", answer, MemberReport)


@dataclass
class FollowerLink:
    """What is known from one node. `heard_s`: monotonic time of its last report; `problem`: why
    there is none since. `other_version_s`: since when it speaks another protocol."""

    address: tuple[str, int]
    report: MemberReport | None = None
    heard_s: float | None = None
    problem: str = "has not answered yet"
    other_version_s: float | None = None
    closed: threading.Event = field(default_factory=threading.Event)

    def ask(self, key: str, token: str, order: Order) -> None:
        try:
            self.report = exchange(self.address, key, token, order)
        except OtherVersionError as error:
            self.problem = str(error)
            self.other_version_s = self.other_version_s or time.monotonic()
        except (OSError, MessageError) as error:
            self.problem, self.other_version_s = str(error) or type(error).__name__, None
        else:
            self.heard_s, self.problem, self.other_version_s = time.monotonic(), "", None

    def is_upgraded(self, now_s: float) -> bool:
        """Whether it speaks another protocol since a moment ago; later it is silent."""
        since_s = self.other_version_s
        return since_s is not None and now_s - since_s < UPGRADE_LIMIT_S

    def start(self, key: str, token: str, get_order: Callable[[], Order | None]) -> None:
        """Ask every second, in a thread, for as long as there is an order."""

        def poll() -> None:
            while not self.closed.wait(ASK_PAUSE_S):
                order = get_order()
                if order is not None:
                    self.ask(key, token, order)

        threading.Thread(target=poll, daemon=True).start()
