"""The receiver's side of a transfer: signed requests over one connection that stays open."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlencode

from node.errors import StepError
from node.host.typed_json import to_json
from node.transfer import signing
from node.transfer.messages import TransferRequest

TIMEOUT_S = 30.0
BUFFER_BYTES = 4 * 1024 * 1024


class ConnectionLost(Exception):
    """The other side does not answer, or closed the connection in the middle."""


class TransferClient:
    """One connection to one address, for one thread."""

    def __init__(self, key: str, address: str, port: int) -> None:
        self._key, self.endpoint = key, f"{address}:{port}"
        self._connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT_S)

    def post(self, route: str, request: TransferRequest) -> object:
        """The JSON answer. Raises ConnectionLost; StepError where the two sides have other keys."""
        body = json.dumps(to_json(request)).encode()
        response, signature = self._send_request("POST", route, body, {})
        text = self._read_body(response)
        self._check_status(response.status, route)
        if not signing.is_valid(
            response.getheader(signing.HEADER), signing.sign_answer(self._key, signature, text)
        ):
            raise StepError(
                f"{self.endpoint} answers without this stack's transfer key; nothing was received."
            )
        return json.loads(text)

    def get_range(self, name: str, path: str, start: int, end: int) -> http.client.HTTPResponse:
        """A response whose body is these bytes, not yet read. Raises ConnectionLost."""
        target = "/file?" + urlencode({"name": name, "path": path}, quote_via=quote)
        headers = {"Range": f"bytes={start}-{end - 1}"}
        response, _ = self._send_request("GET", target, b"", headers)
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            self._read_body(response)
            raise ConnectionLost(f"{self.endpoint} does not have {path} (status {response.status})")
        return response

    def close(self) -> None:
        self._connection.close()

    def _send_request(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, str]:
        signed_headers = {**headers, signing.NONCE: os.urandom(16).hex()}
        signature = signing.sign_request(self._key, method, target, signed_headers, body)
        try:
            self._connection.request(
                method, target, body, {**signed_headers, signing.HEADER: signature}
            )
            if self._connection.sock is not None:
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._connection.getresponse(), signature
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ConnectionLost(f"{self.endpoint}: {error or type(error).__name__}") from None

    def _read_body(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ConnectionLost(f"{self.endpoint}: {error or type(error).__name__}") from None

    def _check_status(self, status: int, route: str) -> None:
        if status == HTTPStatus.FORBIDDEN:
            raise StepError(
                f"{self.endpoint} denies this node: its transfer key is of another stack."
            )
        if status != HTTPStatus.OK:
            raise ConnectionLost(
                f"{self.endpoint} does not offer this at the moment ({route}: status {status})"
            )


def read_into(response: http.client.HTTPResponse, buffer: memoryview) -> int:
    """Read some bytes; 0 at the end. Raises ConnectionLost where the connection breaks."""
    try:
        return response.readinto(buffer)
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionLost(str(error) or type(error).__name__) from None
