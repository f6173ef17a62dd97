"""Messages between supervisors: nobody without the key, and no old message, moves anything."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.supervision.caller import FollowerLink, exchange
from node.supervision.envelope import (
    LONGEST_LINE,
    Envelope,
    MessageError,
    OtherVersionError,
    Seal,
    read_envelope,
    read_hello,
    write_line,
)
from node.supervision.lines import receive_line
from node.supervision.listener import CONNECTIONS, OrderListener, open_server
from node.supervision.messages import MemberReport, Order

KEY, TOKEN = "k" * 32, "4be1-1"
ORDER = Order(2, "stop", "recovering")
REPORT = MemberReport(2, "stopped")


class Follower:
    """A listener on the loopback address, and the orders that it took."""

    def __init__(self, members: frozenset[str] = frozenset({"127.0.0.1"})) -> None:
        self.orders: list[Order] = []
        server = open_server("127.0.0.1", 0)
        self.address: tuple[str, int] = server.getsockname()[:2]
        self.listener = OrderListener(server, members, KEY, TOKEN, self.take)
        self.listener.start()

    def take(self, order: Order) -> MemberReport:
        self.orders.append(order)
        return REPORT


@pytest.fixture
def follower() -> Iterator[Follower]:
    follower = Follower()
    yield follower
    follower.listener.close()


def test_an_order_is_taken_and_answered(follower: Follower) -> None:
    assert exchange(follower.address, KEY, TOKEN, ORDER) == REPORT
    assert follower.orders == [ORDER]


@pytest.mark.parametrize(("key", "token"), [("wrong", TOKEN), (KEY, "4be1-2"), ("", "")])
def test_another_key_or_token_is_no_order(follower: Follower, key: str, token: str) -> None:
    with pytest.raises((MessageError, OSError)):
        exchange(follower.address, key, token, ORDER)
    assert follower.orders == []


def test_a_replayed_order_is_no_order(follower: Follower) -> None:
    with socket.create_connection(follower.address, 2) as first:
        hello = read_hello(receive_line(first, 2))
        line = Seal(KEY, TOKEN, hello.nonce, "c0").write("order", ORDER)
        first.sendall(line)
        assert receive_line(first, 2)
    with socket.create_connection(follower.address, 2) as second:
        receive_line(second, 2)
        second.sendall(line)
        with pytest.raises((MessageError, OSError)):
            receive_line(second, 2)
    assert follower.orders == [ORDER]


def test_a_report_cannot_be_replayed_nor_an_order_echoed() -> None:
    seal, later = Seal(KEY, TOKEN, "f0", "c0"), Seal(KEY, TOKEN, "f1", "c1")
    report = read_envelope(seal.write("report", REPORT))
    assert seal.read("report", report, MemberReport) == REPORT
    with pytest.raises(MessageError, match="not signed"):
        later.read("report", report, MemberReport)
    with pytest.raises(MessageError, match="not signed"):
        seal.read("order", report, Order)


@given(st.text(), st.integers(0, 400))
def test_no_part_of_a_message_can_be_changed(text: str, at: int) -> None:
    seal = Seal(KEY, TOKEN, "f0", "c0")
    envelope = read_envelope(seal.write("order", ORDER))
    body = envelope.body[:at] + text + envelope.body[at:]
    if body != envelope.body:
        with pytest.raises(MessageError):
            seal.read("order", Envelope(body, envelope.mac, "c0"), Order)


@given(st.binary(max_size=200) | st.just(b"[" * 60_000 + b"\n"))
def test_garbage_is_no_message(data: bytes) -> None:
    for read in (read_hello, read_envelope):
        with pytest.raises(MessageError):
            read(data)


@pytest.mark.parametrize(
    "data",
    [b"\n", b"{}\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff\x00\n", b"x" * (LONGEST_LINE + 1), b""],
)
def test_garbage_moves_nothing(follower: Follower, data: bytes) -> None:
    with socket.create_connection(follower.address, 2) as connection:
        receive_line(connection, 2)
        with suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        with pytest.raises((MessageError, OSError)):
            receive_line(connection, 2)
    assert follower.orders == []
    assert exchange(follower.address, KEY, TOKEN, ORDER) == REPORT


def test_a_stranger_is_not_heard() -> None:
    follower = Follower(members=frozenset({"10.0.0.1"}))
    with pytest.raises((MessageError, OSError)):
        exchange(follower.address, KEY, TOKEN, ORDER)
    follower.listener.close()
    assert follower.orders == []


def test_many_silent_connections_neither_fill_the_memory_nor_deafen(follower: Follower) -> None:
    silent = []
    for number in range(120):
        silent.append(socket.create_connection(follower.address, 2))
        if number % 40 == 39:
            assert exchange(follower.address, KEY, TOKEN, ORDER) == REPORT
            assert follower.listener.count <= CONNECTIONS
            assert threading.active_count() <= 3 * CONNECTIONS
    for connection in silent:
        connection.close()
    assert len(follower.orders) == 3


FLOODED = """
import sys, threading
from node.supervision.listener import OrderListener, open_server
from node.supervision.messages import MemberReport
def take(order):
    print("order", flush=True)
    return MemberReport(order.epoch, "stopped")
server = open_server("127.0.0.1", 0)
OrderListener(server, frozenset({"127.0.0.1"}), sys.argv[1], sys.argv[2], take).start()
print(server.getsockname()[1], flush=True)
threading.Event().wait()
"""
# A quick run tries a tenth of it.
FLOOD = 10_000 if "SPARKFORM_FUZZ_EXAMPLES" in os.environ else 1_000
CALLERS, HELD = 8, 50
MOST_GROWTH_KIB = 48 * 1024
"""Sixteen connections take a thread and a line of 64 KiB each; ten thousand would take GiB."""


def read_peak_kib(pid: int) -> int:
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    ]
    return int(line.split()[1])


def flood(address: tuple[str, int], count: int, seed: int) -> None:
    """Garbage of every length, half of it without an end; the last ones stay open for a while."""
    source = random.Random(seed)
    with ExitStack() as newest, ExitStack() as older:
        for number in range(count):
            connection = newest.enter_context(socket.create_connection(address, 30))
            with suppress(OSError):
                # Once it is taken: a full queue would cost a second each.
                connection.recv(200)
                connection.sendall(source.randbytes(source.choice([0, 1, 300, LONGEST_LINE + 9])))
                connection.sendall(source.choice([b"", b"\n", b"{}\n"]))
            if number % HELD == HELD - 1:
                older.close()
                older.push(newest.pop_all())


def test_ten_thousand_connections_move_nothing_and_cost_little() -> None:
    argv = [sys.executable, "-c", FLOODED, KEY, TOKEN]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout
            address = ("127.0.0.1", int(program.stdout.readline()))
            before_kib = read_peak_kib(program.pid)
            callers = [
                threading.Thread(target=flood, args=(address, FLOOD // CALLERS, seed))
                for seed in range(CALLERS)
            ]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
            assert exchange(address, KEY, TOKEN, ORDER) == REPORT
            assert read_peak_kib(program.pid) - before_kib < MOST_GROWTH_KIB
        finally:
            program.kill()
        assert program.stdout.read() == "order\n"


def answer_once(line: bytes) -> tuple[str, int]:
    """A port at which somebody says one line."""
    server = open_server("127.0.0.1", 0)
    address: tuple[str, int] = server.getsockname()[:2]

    def serve() -> None:
        connection, _ = server.accept()
        with server, connection, suppress(OSError):
            connection.sendall(line)

    threading.Thread(target=serve, daemon=True).start()
    return address


def test_another_version_is_told_from_a_stranger() -> None:
    with pytest.raises(OtherVersionError):
        exchange(answer_once(b'{"protocol": 99, "nonce": "f"}\n'), KEY, TOKEN, ORDER)
    link = FollowerLink(answer_once(b'{"protocol": 99, "nonce": "f"}\n'))
    link.ask(KEY, TOKEN, ORDER)
    assert link.other_version_s is not None
    assert link.heard_s is None
    assert link.problem == "speaks protocol 99, this node 1"


def test_a_link_keeps_the_last_report_and_says_why_there_is_no_newer(follower: Follower) -> None:
    link = FollowerLink(follower.address)
    assert link.problem == "has not answered yet"
    link.ask(KEY, TOKEN, ORDER)
    assert (link.report, link.problem) == (REPORT, "")
    heard_s = link.heard_s
    follower.listener.close()
    link.ask(KEY, TOKEN, ORDER)
    assert (link.report, link.heard_s) == (REPORT, heard_s)
    assert link.problem


def test_a_started_link_asks_by_itself_and_ends_when_closed(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.supervision.caller.ASK_PAUSE_S", 0.01)
    link = FollowerLink(follower.address)
    link.start(KEY, TOKEN, lambda: ORDER)
    deadline = time.monotonic() + 5
    while not follower.orders and time.monotonic() < deadline:
        time.sleep(0.01)
    link.closed.set()
    assert follower.orders[0] == ORDER


def test_a_line_says_no_secret() -> None:
    assert KEY not in json.dumps(write_line(ORDER).decode())
    assert KEY.encode() not in Seal(KEY, TOKEN, "f", "c").write("order", ORDER)
