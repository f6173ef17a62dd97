"""One line over a socket, within a time for all of it: a slow or endless sender is given up."""

from __future__ import annotations

import socket
import time

from node.supervision.envelope import LONGEST_LINE, MessageError

CHUNK_BYTES = 4096


def receive_line(connection: socket.socket, limit_s: float) -> bytes:
    """Raises OSError, TimeoutError among them, and MessageError for what is no line."""
    deadline, data = time.monotonic() + limit_s, b""
    while not data.endswith(b"\n"):
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError("no line in time")
        connection.settimeout(remaining_s)
        chunk = connection.recv(CHUNK_BYTES)
        data += chunk
        if not chunk or len(data) > LONGEST_LINE:
            raise MessageError("no line")
    return data
