"""Ports on loopback for tests of what happens when a machine hangs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def open_silent_port() -> Iterator[int]:
    """A port at which connections are accepted, by the kernel, and nothing is ever said."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])
