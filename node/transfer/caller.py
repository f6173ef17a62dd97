"""The receiver's side of a conversation: signed requests over one kept connection."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from node.errors import Refusal
from node.transfer import signing

TIMEOUT_S = 30.0
BUFFER_BYTES = 4 * 1024 * 1024


class Lost(Exception):
    """The other side does not answer, or went away in the middle."""


class Caller:
    """One connection to one address. Not for several threads."""

    def __init__(self, key: str, address: str, port: int) -> None:
        self._key, self.place = key, f"{address}:{port}"
        self._connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT_S)

    def ask(self, what: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """One JSON answer. Raises Lost; Refusal where one of both sides has not the key."""
        body = json.dumps(question).encode()
        response, signature = self._request("POST", what, body, {})
        text = self._read(response)
        self._judge(response.status, what)
        if not signing.fits(
            response.getheader(signing.HEADER), signing.answer(self._key, signature, text)
        ):
            raise Refusal(f"{self.place} answers without the key of this stack; nothing was taken.")
        found: dict[str, Any] = json.loads(text)
        return found

    def bytes_of(self, name: str, place: str, start: int, end: int) -> http.client.HTTPResponse:
        """The head of an answer whose body is these bytes. Raises Lost."""
        target = "/file?" + urlencode({"name": name, "place": place}, quote_via=quote)
        wanted = {"Range": f"bytes={start}-{end - 1}"}
        response, _ = self._request("GET", target, b"", wanted)
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            self._read(response)
            raise Lost(f"{self.place} has no {place} (status {response.status})")
        return response

    def close(self) -> None:
        self._connection.close()

    def _request(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, str]:
        named = {**headers, signing.NONCE: os.urandom(16).hex()}
        signature = signing.request(self._key, method, target, named, body)
        try:
            self._connection.request(method, target, body, {**named, signing.HEADER: signature})
            if self._connection.sock is not None:
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._connection.getresponse(), signature
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f"{self.place}: {error or type(error).__name__}") from None

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f"{self.place}: {error or type(error).__name__}") from None

    def _judge(self, status: int, what: str) -> None:
        if status == HTTPStatus.FORBIDDEN:
            raise Refusal(f"{self.place} does not know this node: its key is of another stack.")
        if status != HTTPStatus.OK:
            raise Lost(f"{self.place} does not offer this now ({what}: status {status})")


def into(response: http.client.HTTPResponse, buffer: memoryview) -> int:
    """Read some bytes; 0 at the end. Raises Lost where the connection breaks."""
    try:
        return response.readinto(buffer)
    except (OSError, http.client.HTTPException) as error:
        raise Lost(str(error) or type(error).__name__) from None
