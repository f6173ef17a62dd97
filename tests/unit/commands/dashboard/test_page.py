"""The page's HTML: what it says, that nothing of a node becomes markup, and who may read it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest

from node.readings.measure import Unread
from sparkform.commands.dashboard.board import Board
from sparkform.commands.dashboard.page import SECTIONS
from sparkform.status.rack_status import RackStatus
from tests.support.dashboard import serve_board
from tests.support.status_documents import build_document, build_report, build_status

EVIL = Unread("</p><script>alert(1)</script>")
VOID = ("meta", "link")


class ElementChecker(HTMLParser):
    """Every element is closed in order, and every id is there once."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.names.append(tag)
        self.ids += [str(values["id"])] if "id" in values else []
        self.links += [str(values[key]) for key in ("href", "src") if key in values]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(html: str) -> ElementChecker:
    checker = ElementChecker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    return checker


def build_board(*statuses: RackStatus) -> Board:
    board = Board(statuses[0])
    for status in statuses[1:]:
        board.show(status)
    return board


def test_the_page_is_whole_and_its_links_lead_somewhere() -> None:
    page = check(build_board(build_status(), build_status({"spark-2": EVIL})).render())
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inside) <= set(page.ids)
    assert "node-spark-2" in inside
    assert set(SECTIONS) <= set(page.ids)
    others = {link for link in page.links if not link.startswith(("#", "data:"))}
    assert others == {"dashboard.css", "dashboard.js"}


def test_what_a_node_says_never_becomes_markup() -> None:
    report = build_report(0, phase="degraded", detail="<img src=x onerror=alert(2)>")
    evil = build_status(
        {"spark-1": build_document(0, supervision={"qwen": report}), "spark-2": EVIL}
    )
    page = build_board(build_status(), evil).render()
    assert check(page).names.count("script") == 1
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;img" in page


def test_sections_say_what_changed() -> None:
    board = build_board(build_status(), build_status({"spark-2": Unread("it is off")}))
    assert "1 of 2 nodes answer" in board.sections["summary"]
    assert "it is off" in board.sections["unread"]
    assert "it is off" in board.sections["events"]
    assert "unknown" in board.sections["drawing"]
    board.show(build_status())
    assert "it is off" not in board.sections["unread"]
    events = board.sections["events"]
    assert events.index("answers") < events.index("it is off")


def test_only_sections_that_differ_are_sent() -> None:
    async def scenario() -> list[dict[str, str]]:
        board = Board(build_status())
        async with contextlib.aclosing(board.stream()) as stream:
            first = await anext(stream)
            board.show(build_status({"spark-2": Unread("it is off")}))
            return [parse(first), parse(await anext(stream))]

    first, second = asyncio.run(scenario())
    assert set(first) == set(SECTIONS)
    assert "unread" in second
    assert all(first[name] != html for name, html in second.items())


def parse(event: str) -> dict[str, str]:
    assert event.startswith("data: ")
    assert event.endswith("\n\n")
    document: dict[str, str] = json.loads(event[len("data: ") :])
    return document


@dataclass(frozen=True)
class HttpReply:
    status: int
    headers: dict[str, str]
    text: str


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server with the page of two nodes."""
    with serve_board(build_status()) as server:
        yield server.port


def ask(port: int, method: str, path: str, host: str = "127.0.0.1") -> HttpReply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Host": f"{host}:{port}"})
        response = connection.getresponse()
        text = response.read().decode()
        return HttpReply(response.status, dict(response.getheaders()), text)


def test_page_and_assets_come_with_a_strict_policy(port: int) -> None:
    for path, kind in {"/": "html", "/dashboard.css": "css", "/dashboard.js": "javascript"}.items():
        reply = ask(port, "GET", path)
        assert reply.status == 200
        assert kind in reply.headers["content-type"]
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert "server" not in reply.headers


def test_the_first_change_is_the_whole_page(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(f"GET /changes HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        received = b""
        while b"\n\n\r\n" not in received:
            received += client.recv(2**16)
    assert b"text/event-stream" in received
    assert b'data: {"summary"' in received


@pytest.mark.parametrize(
    ("method", "path", "host", "status"),
    [
        ("POST", "/", "127.0.0.1", 405),
        ("DELETE", "/changes", "127.0.0.1", 405),
        ("GET", "/etc/passwd", "127.0.0.1", 404),
        ("GET", "/../command.py", "127.0.0.1", 404),
        ("GET", "/", "rack.example", 400),
        ("GET", "/changes", "rack.example", 400),
    ],
)
def test_nothing_else_is_served_nor_under_another_name(
    port: int, method: str, path: str, host: str, status: int
) -> None:
    assert ask(port, method, path, host).status == status
