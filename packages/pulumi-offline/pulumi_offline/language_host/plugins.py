"""Policy packs and plugins that are written in Python, run as streams of their output."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from pulumi_offline.language_host.children import CHUNK_BYTES, Child
from pulumi_offline.language_host.environment import Interpreter
from pulumi_offline.language_host.options import RefusedError
from pulumi_offline.language_host.policy_proxy import PolicyProxy
from pulumi_offline.language_host.protocol import language_pb2

POLICY_PACK = "analyzer"

PluginOutput = language_pb2.RunPluginResponse


def build_plugin_arguments(
    request: language_pb2.RunPluginRequest, python: Interpreter
) -> list[str]:
    """The command line of a policy pack or plugin, as the official host builds it.

    Raises RefusedError for a plugin without a __main__.py: it would have to be built first.
    """
    folder = request.info.program_directory
    if request.kind == POLICY_PACK:
        return [str(python.executable), "-u", "-m", "pulumi.policy", *request.args, folder]
    if not Path(folder, "__main__.py").is_file():
        raise RefusedError(
            f"plugin {folder} has no __main__.py; this clone's language host runs no other form"
        )
    return [str(python.executable), folder, *request.args]


def build_plugin_variables(
    request: language_pb2.RunPluginRequest, python: Interpreter
) -> dict[str, str]:
    """The engine's variables with the virtual environment activated in them."""
    sent = dict(entry.split("=", 1) for entry in request.env if "=" in entry)
    return python.build_variables({**os.environ, **sent})


def stream_output(child: Child, proxy: PolicyProxy | None = None) -> Iterator[PluginOutput]:
    """What a process writes, as it comes, until both its streams have ended.

    With a `proxy` the first line is not for the engine: it is the port that the proxy waits for.
    """
    queue: SimpleQueue[PluginOutput | None] = SimpleQueue()

    def pump(stream: IO[bytes], as_output: Callable[[bytes], PluginOutput]) -> None:
        while chunk := os.read(stream.fileno(), CHUNK_BYTES):
            queue.put(as_output(chunk))

    def pump_stdout() -> None:
        try:
            if proxy:
                attach_when_ready(proxy, child.stdout)
            pump(child.stdout, lambda chunk: PluginOutput(stdout=chunk))
        finally:
            queue.put(None)

    def pump_stderr() -> None:
        try:
            pump(child.stderr, lambda chunk: PluginOutput(stderr=chunk))
        finally:
            queue.put(None)

    for pumping in (pump_stdout, pump_stderr):
        threading.Thread(target=pumping, daemon=True).start()
    for _ in ("stdout", "stderr"):
        yield from iter(queue.get, None)


def attach_when_ready(proxy: PolicyProxy, stdout: IO[bytes]) -> None:
    """Read the port that a policy pack writes first, and let the waiting calls through.

    The line is read byte by byte, because what follows it belongs to the engine.
    """
    line = b"".join(iter(lambda: os.read(stdout.fileno(), 1).strip(b"\n"), b""))
    if line.isdigit():
        proxy.attach(int(line))
    else:
        proxy.close()
