"""An OpenAI-compatible server that answers after known times, and notes by its own clock when each
chunk left: the truth that a driver's figures are held against.

`python -m tests.support.known_latency_server PLAN.json LOG.jsonl` prints its port.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path

MODEL = "tiny/known"


@dataclass(frozen=True)
class ServerPlan:
    """Every request is answered alike, but for `kinds`: by turns, the n-th request is of the n-th
    kind. "slow" takes three times as long between tokens."""

    ttft_s: float
    itl_s: float
    tokens: int
    kinds: tuple[str, ...] = ("answer",)


@dataclass
class ServedRequest:
    """A line of the log. Times are time.time(); `chunks_s` are those of chunks with a token."""

    kind: str
    received_s: float
    chunks_s: list[float] = field(default_factory=list)
    ended_s: float = 0.0


def main(plan_file: str, log_file: str) -> None:
    document = json.loads(Path(plan_file).read_text())
    plan = ServerPlan(**{**document, "kinds": tuple(document.get("kinds", ("answer",)))})
    asyncio.run(serve(plan, Path(log_file)))


async def serve(plan: ServerPlan, log_file: Path) -> None:
    numbers = count()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await answer(plan, numbers, log_file, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def answer(
    plan: ServerPlan,
    numbers: Iterator[int],
    log_file: Path,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    """One request of a connection; whether another may follow."""
    head = await reader.readuntil(b"\r\n\r\n")
    received_s = time.time()
    method, path = head.decode().split(" ")[:2]
    length = next(
        (
            int(line.partition(":")[2])
            for line in head.decode().splitlines()
            if line.lower().startswith("content-length")
        ),
        0,
    )
    body = await reader.readexactly(length)
    if method == "GET":
        await send_document(writer, get_document(path))
        return True
    number = next(numbers)
    served = ServedRequest(plan.kinds[number % len(plan.kinds)], received_s)
    may_follow = await stream_answer(plan, json.loads(body), served, writer)
    served.ended_s = time.time()
    with log_file.open("a") as file:
        file.write(json.dumps(asdict(served)) + "\n")
    return may_follow


def get_document(path: str) -> Mapping[str, object] | str | None:
    if path == "/v1/models":
        return {"object": "list", "data": [{"id": MODEL, "object": "model"}]}
    if path == "/health":
        return ""
    if path == "/metrics":
        return 'vllm:num_requests_running{engine="0"} 1.0\n'
    return None


async def send_document(
    writer: asyncio.StreamWriter, document: Mapping[str, object] | str | None
) -> None:
    status = "404 Not Found" if document is None else "200 OK"
    text = document if isinstance(document, str) else json.dumps(document or {})
    kind = "text/plain" if isinstance(document, str) else "application/json"
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n\r\n"
    writer.write((head + text).encode())
    await writer.drain()


async def stream_answer(
    plan: ServerPlan,
    request: Mapping[str, object],
    served: ServedRequest,
    writer: asyncio.StreamWriter,
) -> bool:
    if served.kind == "error":
        text = json.dumps({"error": {"message": "the engine is busy", "code": 500}})
        head = f"HTTP/1.1 500 Internal Server Error\r\nContent-Length: {len(text)}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n{text}".encode())
        await writer.drain()
        return True
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    writer.write(head.encode())
    async for event in list_events(plan, request, served):
        data = f"data: {json.dumps(event)}\n\n".encode()
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await writer.drain()
        choices = event.get("choices")
        if isinstance(choices, list) and choices and has_token(choices[0]):
            served.chunks_s.append(time.time())
    if served.kind == "cut":
        writer.transport.abort()
        return False
    writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    await writer.drain()
    return True


def has_token(choice: Mapping[str, object]) -> bool:
    delta = choice.get("delta")
    words = ("content", "reasoning_content", "tool_calls")
    return isinstance(delta, Mapping) and any(delta.get(word) for word in words)


async def list_events(
    plan: ServerPlan, request: Mapping[str, object], served: ServedRequest
) -> AsyncIterator[dict[str, object]]:
    """A chat's chunks: the role at once, then the tokens in time, then the usage."""
    sent = choose_tokens(plan, served.kind)
    yield build_chunk([{"index": 0, "delta": {"role": "assistant", "content": ""}}])
    for index, delta in enumerate(sent):
        slowness = 3 if served.kind == "slow" else 1
        due_s = served.received_s + plan.ttft_s + index * plan.itl_s * slowness
        await asyncio.sleep(max(0.0, due_s - time.time()))
        yield build_chunk([{"index": 0, "delta": delta}])
    if served.kind == "cut":
        return
    reason = "length" if len(sent) == plan.tokens else "stop"
    yield build_chunk([{"index": 0, "delta": {}, "finish_reason": reason}])
    reasoning = sum("reasoning_content" in delta for delta in sent)
    usage = {
        "prompt_tokens": 16,
        "completion_tokens": len(sent),
        "total_tokens": 16 + len(sent),
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    yield {**build_chunk([]), "usage": usage}


def choose_tokens(plan: ServerPlan, kind: str) -> Sequence[dict[str, object]]:
    words: list[dict[str, object]] = [{"content": f" w{index}"} for index in range(plan.tokens)]
    if kind in ("early", "cut"):
        return words[: plan.tokens // 2]
    if kind == "empty":
        return []
    if kind == "reasoning":
        half = plan.tokens // 2
        thoughts = [{"reasoning_content": delta["content"]} for delta in words[:half]]
        return [*thoughts, *words[half:]]
    if kind == "tool":
        call = {"index": 0, "id": "call-1", "type": "function"}
        named = {**call, "function": {"name": "look", "arguments": "{}"}}
        return [*words[:-1], {"tool_calls": [named]}]
    return words


def build_chunk(choices: Sequence[Mapping[str, object]]) -> dict[str, object]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": MODEL,
        "choices": list(choices),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
