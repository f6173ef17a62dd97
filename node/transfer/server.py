"""Serves files of bundles, complete or still arriving, to nodes that have the key.

POST /bundle {"name"}                   the bundle                        (source)
POST /join, /done {"name", "receiver"}  enter the chain; leave it         (source)
GET  /file?name=N&path=P                bytes, with Range                 (source, receivers)
"""

from __future__ import annotations

import json
import re
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, cast
from urllib.parse import parse_qs, urlsplit

from node.host.typed_json import parse
from node.transfer import signing
from node.transfer.holding import ReadableBundle
from node.transfer.messages import TransferRequest

RANGE = re.compile(r"bytes=(\d+)-(\d+)")
BODY_LIMIT_BYTES = 64 * 1024
SEND_BYTES = 4 * 1024 * 1024
SILENCE_S = 60.0


class BundleProvider(Protocol):
    """What a server serves."""

    key: str

    def build_answer(self, route: str, request: TransferRequest) -> str | None:
        """JSON for /bundle, /join and /done; None where there is none."""

    def find_readable(self, name: str, path: str) -> ReadableBundle | None: ...


class TransferServer(ThreadingHTTPServer):
    """Listens at one address."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: str, port: int, provider: BundleProvider) -> None:
        self.provider, self._sent_s = provider, time.monotonic()
        super().__init__((address, port), TransferHandler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A receiver that disconnects is no error of ours."""

    def mark_sent(self) -> None:
        self._sent_s = time.monotonic()

    def get_idle_s(self) -> float:
        return time.monotonic() - self._sent_s

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class TransferHandler(BaseHTTPRequestHandler):
    """One connection with any number of requests."""

    protocol_version = "HTTP/1.1"
    timeout = SILENCE_S

    @property
    def _server(self) -> TransferServer:
        return cast(TransferServer, self.server)

    def do_GET(self) -> None:
        signature = self._verify_signature(b"")
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if signature is None:
            return self._refuse(HTTPStatus.FORBIDDEN)
        self._send_file(query.get("name", ""), query.get("path", ""))

    def do_POST(self) -> None:
        content_length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(content_length) if content_length <= BODY_LIMIT_BYTES else b""
        signature = self._verify_signature(body)
        if signature is None:
            return self._refuse(HTTPStatus.FORBIDDEN)
        try:
            request = parse(TransferRequest, json.loads(body), "request")
        except ValueError:
            return self._refuse(HTTPStatus.BAD_REQUEST)
        text = self._server.provider.build_answer(self.path, request)
        if text is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        self._send_answer(text.encode(), signature)

    def _verify_signature(self, body: bytes) -> str | None:
        """The request's signature; None where it is not valid."""
        key, headers = self._server.provider.key, dict(self.headers)
        expected = signing.sign_request(key, self.command, self.path, headers, body)
        return expected if signing.is_valid(headers.get(signing.HEADER), expected) else None

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_answer(self, body: bytes, signature: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(body)))
        self.send_header(
            signing.HEADER, signing.sign_answer(self._server.provider.key, signature, body)
        )
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, name: str, path: str) -> None:
        readable = self._server.provider.find_readable(name, path)
        byte_range = RANGE.fullmatch(self.headers.get("Range") or "")
        if readable is None or byte_range is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        start, end = int(byte_range[1]), int(byte_range[2]) + 1
        # The first bytes may not have arrived yet; a head that promises them must wait for them.
        if not readable.count_available(path, start):
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self._send_range(readable, path, start, end)

    def _send_range(self, readable: ReadableBundle, path: str, start: int, end: int) -> None:
        with readable.path(path).open("rb") as file:
            while start < end:
                available = min(readable.count_available(path, start), end - start, SEND_BYTES)
                if not available:
                    self.close_connection = True
                    return
                start += self.connection.sendfile(file, start, available)
                self._server.mark_sent()

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are not logged."""
