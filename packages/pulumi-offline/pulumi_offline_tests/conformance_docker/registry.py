"""A registry that knows no image and writes down who asked: `python registry.py PORT FILE`."""

from __future__ import annotations

import http.server
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulumi_offline.layout import PACKAGE
from pulumi_offline_tests.conformance_docker.dockerd import Dockerd, find
from pulumi_offline_tests.plugin_process import ROOT

PORT = 5000
START_LIMIT_S = 10


@contextmanager
def asking_registry(dockerd: Dockerd, folder: Path) -> Iterator[Path]:
    """A registry at 127.0.0.1:5000 of the engine's own network; the file holds what it was told."""
    requested = folder / "asked"
    network = f"--net=/proc/{dockerd.pid}/ns/net"
    module = "pulumi_offline_tests.conformance_docker.registry"
    command = [find("nsenter", "util-linux"), network, sys.executable, "-m", module]
    with subprocess.Popen(
        [*command, str(PORT), str(requested)], cwd=ROOT / PACKAGE.parent
    ) as process:
        try:
            deadline = time.monotonic() + START_LIMIT_S
            while not requested.exists():
                assert time.monotonic() < deadline, "the registry does not start"
                time.sleep(0.05)
            yield requested
        finally:
            process.terminate()


def serve(port: int, requested: Path) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        """Asks for a login, and then has nothing."""

        def do_GET(self) -> None:
            login = self.headers.get("Authorization", "")
            with requested.open("a") as file:
                file.write(f"{self.path} {login}\n")
            self.send_response(404 if login else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *words: object) -> None:
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", port), Handler) as server:
        requested.touch()
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
