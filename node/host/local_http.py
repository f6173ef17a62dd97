"""One HTTP request over a Unix socket, which is how the Docker Engine is reached."""

from __future__ import annotations

import http.client
import json
import socket

NO_ANSWER = 0


class LocalConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request(
    socket_path: str, method: str, path: str, body: object, timeout_s: float
) -> tuple[int, object, bool]:
    """Status and body, parsed where it is JSON; status 0 with the reason where nothing answers, and
    whether that is because the time ran out."""
    connection = LocalConnection(socket_path, timeout_s)
    text = None if body is None else json.dumps(body)
    try:
        connection.request(method, path, text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, _parse_body(response.read()), False
    except (OSError, http.client.HTTPException) as error:
        is_late = isinstance(error, TimeoutError)
        return NO_ANSWER, f"{type(error).__name__}: {error}", is_late
    finally:
        connection.close()


def fetch(socket_path: str, path: str, timeout_s: float) -> bytes | None:
    """The body of a GET, byte for byte; None where nothing answers or the status is not 200."""
    connection = LocalConnection(socket_path, timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        data = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return data if response.status == http.HTTPStatus.OK else None


def _parse_body(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text
