"""`python -m sparkrack.hub.server ADDRESS PORT FOLDER WHEELS`: the hub as a process of its own.

Every request is a line in FOLDER/requests.log: method, target, range, status. FOLDER/pace, where it
is there, holds the bytes a second at which files are sent, for tests that interrupt a download.
"""

from __future__ import annotations

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from sparkrack.hub import answers, wheels
from sparkrack.hub.answers import HubResponse

CHUNK_BYTES = 256 * 1024


class HubHandler(BaseHTTPRequestHandler):
    """One request. HEAD and GET are all that a download needs."""

    protocol_version = "HTTP/1.1"
    folder: Path
    wheels: Path

    def do_HEAD(self) -> None:
        self._send(self._answer(), with_body=False)

    def do_GET(self) -> None:
        self._send(self._answer(), with_body=True)

    def _answer(self) -> HubResponse:
        package = wheels.answer(self.wheels, urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return package or answers.answer(self.folder, self.path, headers)

    def _send(self, answer: HubResponse, *, with_body: bool) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(answer.length if answer.file else len(answer.body)))
        self.end_headers()
        if with_body and answer.file:
            self._send_file(answer.file, answer.start, answer.length)
        elif with_body:
            self.wfile.write(answer.body)

    def _send_file(self, path: Path, start: int, length: int) -> None:
        with path.open("rb") as file:
            file.seek(start)
            while length:
                chunk = file.read(min(CHUNK_BYTES, length))
                self.wfile.write(chunk)
                length -= len(chunk)
                time.sleep(len(chunk) / pace if (pace := _read_pace(self.folder)) else 0)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        range_header = self.headers.get("Range", "-")
        line = f"{self.command} {self.path} {range_header} {code}\n"
        handle = os.open(self.folder / "requests.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, line.encode())
        os.close(handle)


def _read_pace(folder: Path) -> int:
    try:
        return int((folder / "pace").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def main(address: str, port: str, folder: str, wheels_folder: str) -> None:
    HubHandler.folder, HubHandler.wheels = Path(folder), Path(wheels_folder)
    ThreadingHTTPServer((address, int(port)), HubHandler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
