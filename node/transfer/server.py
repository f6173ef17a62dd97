"""Serves files of parcels, whole or still coming, to those who have the key.

POST /parcel {"name"}              the parcel                               (source)
POST /join, /done {"name", "who"}  a place in the chain, and leave from it  (source)
GET  /file?name=N&place=P          bytes, with Range                        (source, receivers)
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, cast
from urllib.parse import parse_qs, urlsplit

from node.transfer import signing
from node.transfer.holding import Holding

RANGE = re.compile(r"bytes=(\d+)-(\d+)")
BODY_LIMIT_BYTES = 64 * 1024
SEND_BYTES = 4 * 1024 * 1024
SILENCE_S = 60.0


class Desk(Protocol):
    """What a server hands out."""

    key: str

    def answer(self, what: str, asked: Mapping[str, Any]) -> str | None:
        """JSON for /parcel, /join and /done; None where there is none."""

    def holding(self, name: str, place: str) -> Holding | None: ...


class Server(ThreadingHTTPServer):
    """Listens at one address. `idle_s` tells for how long nobody has been sent bytes."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: str, port: int, desk: Desk) -> None:
        self.desk, self._sent_s = desk, time.monotonic()
        super().__init__((address, port), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A receiver that goes away in the middle is its own affair."""

    def sends(self) -> None:
        self._sent_s = time.monotonic()

    def idle_s(self) -> float:
        return time.monotonic() - self._sent_s

    def run_beside(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    """One connection; several requests on it."""

    protocol_version = "HTTP/1.1"
    timeout = SILENCE_S

    @property
    def _server(self) -> Server:
        return cast(Server, self.server)

    def do_GET(self) -> None:
        signature = self._signature(b"")
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if signature is None:
            return self._refuse(HTTPStatus.FORBIDDEN)
        self._file(query.get("name", ""), query.get("place", ""))

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size <= BODY_LIMIT_BYTES else b""
        signature = self._signature(body)
        if signature is None:
            return self._refuse(HTTPStatus.FORBIDDEN)
        text = self._server.desk.answer(self.path, json.loads(body))
        if text is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        self._answer(text.encode(), signature)

    def _signature(self, body: bytes) -> str | None:
        """The request's signature; None where it is not of one who has the key."""
        key, headers = self._server.desk.key, dict(self.headers)
        wanted = signing.request(key, self.command, self.path, headers, body)
        return wanted if signing.fits(headers.get(signing.HEADER), wanted) else None

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, body: bytes, signature: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(body)))
        self.send_header(signing.HEADER, signing.answer(self._server.desk.key, signature, body))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, name: str, place: str) -> None:
        holding = self._server.desk.holding(name, place)
        wanted = RANGE.fullmatch(self.headers.get("Range") or "")
        if holding is None or wanted is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        start, end = int(wanted[1]), int(wanted[2]) + 1
        # The first bytes may be still to come; a head that promises them must wait for them.
        if not holding.available(place, start):
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self._send(holding, place, start, end)

    def _send(self, holding: Holding, place: str, start: int, end: int) -> None:
        with holding.path(place).open("rb") as file:
            while start < end:
                ready = min(holding.available(place, start), end - start, SEND_BYTES)
                if not ready:
                    self.close_connection = True
                    return
                start += self.connection.sendfile(file, start, ready)
                self._server.sends()

    def log_message(self, format: str, *arguments: object) -> None:
        """The source's unit has nothing to say of each request."""
