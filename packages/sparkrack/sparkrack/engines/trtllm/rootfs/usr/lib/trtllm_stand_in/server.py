"""The HTTP side: the endpoints of trtllm-serve that this stand-in knows; others are 404."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import answers, knowledge
from .group import RankGroup
from .refusals import Refusal

COMPLETIONS = ("/v1/completions", "/v1/chat/completions")


class Server(ThreadingHTTPServer):
    """Bound at once, as the real one is, and listening only when the ranks are up."""

    daemon_threads = True

    def __init__(self, host: str, port: int, served_name: str, group: RankGroup) -> None:
        self.served_name, self.group = served_name, group
        super().__init__((host, port), StandInHandler, bind_and_activate=False)
        try:
            self.server_bind()
        except OSError as error:
            message = f"Failed to bind socket to {host}:{port}: {error}"
            raise Refusal(f"RuntimeError: {message}") from None

    def server_bind(self) -> None:
        """Without the name look-up of the library's own, which may wait for a name server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]


class StandInHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        version = knowledge.get_version_text()
        known: dict[str, Any] = {
            "/health": {},
            "/metrics": [],
            "/version": answers.describe_version(version),
            "/v1/models": answers.list_models(self.server.served_name),
        }
        if self.path in known:
            self._answer(200, known[self.path])
        else:
            self._answer(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path not in COMPLETIONS:
            return self._answer(404, {"detail": "Not Found"})
        try:
            request = json.loads(text)
            step_report = self.server.group.run_step(answers.count_tokens(request))
        except (ValueError, AttributeError) as error:
            return self._answer(400, {"object": "error", "message": f"bad request: {error}"})
        except Refusal as refusal:
            return self._answer(500, {"object": "error", "message": str(refusal)})
        version = knowledge.get_version_text()
        self._answer(
            200, answers.build_completion(request, self.server.served_name, version, step_report)
        )

    def _answer(self, code: int, content: object) -> None:
        text = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, form: str, *values: object) -> None:
        """As uvicorn words it."""
        line = f"{self.client_address[0]}:{self.client_address[1]} - {form % values}"
        print(f"INFO:     {line}", flush=True)
