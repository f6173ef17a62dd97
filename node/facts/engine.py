"""Reads from the Docker engine over its socket: far cheaper than a start of the docker command."""

from __future__ import annotations

import http.client
import json
import socket

# Debian's and Ubuntu's docker.service listen here (docker.socket: ListenStream=/run/docker.sock).
SOCKET = "/run/docker.sock"


class EngineError(Exception):
    """The engine gave no usable answer; the message says why in words."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("docker", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def get(socket_path: str, path: str, timeout_s: float) -> object:
    """GET `path`; raises EngineError where nobody answers or the answer is not JSON."""
    status, body = _answer(socket_path, path, timeout_s)
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        raise EngineError(f"docker: GET {path} answered no JSON") from None
    if status != http.client.OK:
        raise EngineError(f"docker: GET {path} answered {status}")
    return value


def _answer(socket_path: str, path: str, timeout_s: float) -> tuple[int, bytes]:
    connection = _UnixConnection(socket_path, timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except FileNotFoundError:
        raise EngineError("docker: not running (no /run/docker.sock)") from None
    except ConnectionRefusedError:
        raise EngineError("docker: not running (nobody listens on /run/docker.sock)") from None
    except TimeoutError:
        raise EngineError(f"docker: no answer within {timeout_s:.1f} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(f"docker: {type(error).__name__}") from error
    finally:
        connection.close()
