"""HTTP connections through `ssh … docker system dial-stdio`, for Docker's Python library."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from typing import IO

from docker.transport.basehttpadapter import BaseHTTPAdapter  # type: ignore[import-untyped]
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

# Each is one SSH session; sshd's own limit of sessions that log in at once is ten.
MOST_CONNECTIONS = 8
END_LIMIT_S = 2.0
# The sentence of docker's own client (docker/cli, cli/connhelper/commandconn).
ENDED = (
    "command [{}] has exited with exit status {}, make sure the URL is valid, and Docker 18.09 or "
    "later is installed on the remote host: stderr={}"
)


@dataclass
class SshPipe:
    """One run of ssh, and what it wrote to stderr."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def read_error(self) -> str:
        """Why ssh ended, once it did; empty while it runs or if it ended well."""
        try:
            code = self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            return ""
        self.errors.seek(0)
        output = self.errors.read().decode(errors="replace").strip()
        command = " ".join(map(str, self.process.args))  # type: ignore[arg-type]
        return ENDED.format(command, code, output) if code else ""


@dataclass
class EngineDialler:
    """Makes connections with a command whose stdin and stdout are the far end's socket."""

    command: tuple[str, ...]
    pipes: list[SshPipe] = field(default_factory=list)
    closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def dial(self) -> socket.socket:
        """A connected socket. Raises OSError if there is no ssh, or after close."""
        near_end, far_end = socket.socketpair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the pipe)
        with far_end, self.lock:
            if self.closed:
                near_end.close()
                raise ConnectionAbortedError("the plugin is ending")
            # A session of its own: Ctrl-C at the terminal is the engine's to pass on, not ssh's.
            process = subprocess.Popen(
                self.command,
                stdin=far_end.fileno(),
                stdout=far_end.fileno(),
                stderr=errors,
                start_new_session=True,
            )
            self.pipes.append(SshPipe(process, errors))
        return near_end

    def read_error(self) -> str:
        """Why the latest ssh failed; connections that were closed end well."""
        with self.lock:
            latest = self.pipes[-1:]
        return "".join(pipe.read_error() for pipe in latest)

    def close(self) -> None:
        """Ends all connections; there are no new ones."""
        with self.lock:
            self.closed = True
            for pipe in self.pipes:
                pipe.process.kill()
                pipe.process.wait()
                pipe.errors.close()


class DialledConnection(HTTPConnection):
    """A connection whose socket leads to ssh."""

    def __init__(self, dialler: EngineDialler) -> None:
        super().__init__("docker.example.com")
        self.dialler = dialler

    def connect(self) -> None:
        self.sock = self.dialler.dial()


class DialledPool(HTTPConnectionPool):
    """Connections that are kept and used again."""

    def __init__(self, dialler: EngineDialler) -> None:
        super().__init__("docker.example.com", maxsize=MOST_CONNECTIONS, block=True)
        self.dialler = dialler

    def _new_conn(self) -> DialledConnection:
        return DialledConnection(self.dialler)


class DialledAdapter(BaseHTTPAdapter):  # type: ignore[misc]
    """What Docker's library sends its requests through."""

    def __init__(self, dialler: EngineDialler) -> None:
        super().__init__()
        self.pool = DialledPool(dialler)

    def get_connection(self, url: str, proxies: object = None) -> DialledPool:
        return self.pool

    def close(self) -> None:
        super().close()
        self.pool.close()
