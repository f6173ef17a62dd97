"""What the door costs: `python -m tests.gateway.overhead` asks one engine directly and through the
gateway, in turn, and holds idle streams. The engine is scripted, and clients are threads of one
Python: the shares count, not the rates."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from tests.support.gateway_process import (
    KEYS,
    GatewayProcess,
    await_servers,
    build_route,
    build_setup,
    run_gateway,
)
from tests.support.openai_engine import serve_engine

MODEL = "Qwen/Qwen3-8B"
ROUNDS, CLIENTS, EACH = 400, 8, 60
IDLE_STREAMS = 1000
HEADERS = {"Authorization": f"Bearer {KEYS['alice']}", "Content-Type": "application/json"}


def _serve(connection: Connection) -> None:
    with serve_engine("engine") as engine:
        connection.send(engine.port)
        connection.recv()


def ask(port: int, **fields: object) -> float:
    """The seconds that one answer takes, its connection included."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "model": MODEL} | fields)
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/v1/chat/completions", body, HEADERS)
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200
    return time.perf_counter() - started


def measure_latency_ms(direct: int, through: int) -> tuple[float, float]:
    pairs = [(ask(direct), ask(through)) for _ in range(ROUNDS)]
    before, after = zip(*pairs, strict=True)
    return statistics.median(before) * 1000, statistics.median(after) * 1000


def measure_rate(port: int) -> float:
    """Streams of 50 events with 20 ms between them, as an engine's tokens come."""
    script = {"events": 50, "pause_s": 0.02}

    def work() -> None:
        for _ in range(EACH // CLIENTS):
            ask(port, stream=True, script=script)

    started = time.perf_counter()
    run_together(work, CLIENTS)
    return CLIENTS * (EACH // CLIENTS) * 50 / (time.perf_counter() - started)


def run_together(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hold_idle_streams(gateway: GatewayProcess, port: int) -> float:
    """The memory of both processes while so many streams wait for their next event."""
    script = {"events": 1, "pause_s": 120}
    body = json.dumps({"messages": [], "model": MODEL, "stream": True, "script": script})
    connections = []
    for _ in range(IDLE_STREAMS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/v1/chat/completions", body, HEADERS)
        connections.append((connection, connection.getresponse()))
    assert all(response.readline().startswith(b"data: ") for _, response in connections)
    memory_mib = gateway.measure_memory_mib()
    for connection, _ in connections:
        connection.close()
    return memory_mib


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    engine = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    engine.start()
    direct = ours.recv()
    limits = {"requestsAtOnce": 2 * IDLE_STREAMS, "requestsPerMinute": 1_000_000}
    setup = build_setup([build_route("qwen", MODEL, direct)], limits)
    with (
        tempfile.TemporaryDirectory(prefix="gateway-") as folder,
        run_gateway(Path(folder), setup) as gateway,
    ):
        await_servers(gateway, 1)
        through = setup.listen.port
        first, second = measure_latency_ms(direct, through)
        print(f"median latency: direct {first:.2f} ms, through {second:.2f} ms")
        rates = [(measure_rate(direct), measure_rate(through)) for _ in range(2)]
        share = statistics.mean(after / before for before, after in rates)
        print(f"events a second: {rates}, share {share:.3f}")
        print(f"memory with {IDLE_STREAMS} idle streams: ", end="", flush=True)
        print(f"{hold_idle_streams(gateway, through):.0f} MiB")
    ours.send(None)


if __name__ == "__main__":
    main()
