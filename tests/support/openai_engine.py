"""A small scripted engine with OpenAI's paths, on loopback: it says what it got, streams, hangs or
breaks off as the request's field `script` says. It stands for vLLM and TensorRT-LLM."""

from __future__ import annotations

import http.server
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from node.host.plain import as_mapping

EVENTS = 3


@dataclass
class EngineRecord:
    """What an engine has seen. `name` is what it calls itself in each answer."""

    name: str
    port: int = 0
    requests: list[dict[str, object]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class OpenAiHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    record: EngineRecord

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        record = self.record
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        request = json.loads(body)
        with record.lock:
            record.open_now += 1
            record.most_open = max(record.most_open, record.open_now)
            headers = {name.lower(): value for name, value in self.headers.items()}
            record.requests.append({"path": self.path, "headers": headers, "bytes": len(body)})
        try:
            self._answer(request)
        except OSError:
            record.closed.append(str(request.get("script")))
        finally:
            with record.lock:
                record.open_now -= 1

    def _answer(self, request: dict[str, object]) -> None:
        script = as_mapping(request.get("script"))
        time.sleep(float(str(script.get("wait_s", 0))))
        if script.get("end") == "before":
            self._break_off()
        elif script.get("end") == "error":
            self._send_json(400, {"error": {"message": "too long", "code": 400}})
        elif request.get("stream"):
            self._stream(request, script)
        else:
            self._send_json(200, self._build_answer(request))

    def _build_answer(self, request: dict[str, object]) -> dict[str, object]:
        answers: dict[str, dict[str, object]] = {
            "/v1/chat/completions": {
                "object": "chat.completion",
                "created": 0,
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": _build_message(request)}
                ],
            },
            "/v1/completions": {
                "object": "text_completion",
                "created": 0,
                "choices": [{"index": 0, "finish_reason": "stop", "text": "Hello"}],
            },
            "/v1/embeddings": {
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            },
            "/v1/rerank": {"results": [{"index": 0, "relevance_score": 0.5}]},
        }
        identity = {
            "id": "answer",
            "model": request["model"],
            "system_fingerprint": self.record.name,
        }
        return identity | answers.get(self.path, {})

    def _send_json(self, status: int, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, request: dict[str, object], script: dict[str, object]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(int(str(script.get("events", EVENTS)))):
            self._send_event(json.dumps(self._build_event(request, number)))
            time.sleep(float(str(script.get("pause_s", 0.05))))
        end = script.get("end")
        if end == "half":
            self.wfile.write(b'400\r\ndata: {"choi')
        if end in ("fin", "reset", "half"):
            self._break_off(is_reset=end == "reset")
            return
        if end == "silence":
            time.sleep(float(str(script.get("silence_s", 3600))))
        self._send_event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _build_event(self, request: dict[str, object], number: int) -> dict[str, object]:
        return {
            "id": "answer",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": request["model"],
            "system_fingerprint": self.record.name,
            "choices": [{"index": 0, "delta": {"content": f"t{number}"}, "finish_reason": None}],
        }

    def _send_event(self, text: str) -> None:
        event = f"data: {text}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.flush()

    def _break_off(self, is_reset: bool = False) -> None:
        self.close_connection = True
        if is_reset:
            no_linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)


def _build_message(request: dict[str, object]) -> dict[str, object]:
    """A tool that is offered is called."""
    tools = request.get("tools")
    if not isinstance(tools, list):
        return {"role": "assistant", "content": "Hello"}
    name = as_mapping(as_mapping(tools[0]).get("function")).get("name")
    function = {"name": name, "arguments": '{"city": "Bern"}'}
    call = {"id": "call_1", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


class OpenAiServer(http.server.ThreadingHTTPServer):
    request_queue_size = 2048
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may go away."""


@contextmanager
def serve_engine(name: str, port: int = 0) -> Iterator[EngineRecord]:
    record = EngineRecord(name)
    handler = type("Handler", (OpenAiHandler,), {"record": record})
    with OpenAiServer(("127.0.0.1", port), handler) as server:
        record.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield record
        server.shutdown()


def main() -> None:
    """`python -m tests.support.openai_engine NAME PORT`: one that can be killed."""
    name, port = sys.argv[1:]
    with serve_engine(name, int(port)):
        threading.Event().wait()


if __name__ == "__main__":
    main()
