"""The engine's side of the protocol: finds a plugin, starts it, takes its log lines."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc

MESSAGE_LIMIT = [
    # pulumi's own limit (rpcutil.maxRPCMessageSize, 400 MiB), not gRPC's 4 MiB.
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
    # An error's text travels as metadata; the engine's own client takes 16 MiB of it.
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024 * 1024),
]
ROOT = Path(__file__).parents[3]


def get_plugin_folder(home: str | None, name: str, version: str) -> Path:
    """Where a plugin under test is installed: in PULUMI_HOME, else where `make setup` puts it."""
    pulumi_home = Path(home) if home else ROOT / ".toolchain" / "home"
    return pulumi_home / "plugins" / f"resource-{name}-v{version}"


def find_plugin(name: str, version: str) -> Path:
    """The executable of the plugin under test; fails with the remedy if there is none."""
    folder = get_plugin_folder(os.environ.get("PULUMI_HOME"), name, version)
    executable = shutil.which(f"pulumi-resource-{name}", path=str(folder))
    assert executable, f"no {name} plugin in {folder}: run `make setup`, or set PULUMI_HOME"
    return Path(executable)


@dataclass(frozen=True)
class EngineLogLine:
    """One line that a plugin gave to the engine."""

    severity: str
    message: str
    urn: str
    ephemeral: bool


class EngineLog(engine_pb2_grpc.EngineServicer):
    """Takes log lines, as `pulumi` does for its display."""

    def __init__(self) -> None:
        self.lines: list[EngineLogLine] = []
        self.arrived = threading.Condition()

    def Log(self, request, context):
        line = EngineLogLine(
            severity=engine_pb2.LogSeverity.Name(request.severity),
            message=request.message,
            urn=request.urn,
            ephemeral=request.ephemeral,
        )
        with self.arrived:
            self.lines.append(line)
            self.arrived.notify_all()
        return empty_pb2.Empty()

    def wait_for(self, text: str, timeout_s: float = 10) -> None:
        """Returns when a line with this text has come; fails after the time."""
        with self.arrived:
            arrived = self.arrived.wait_for(
                lambda: any(text in line.message for line in self.lines), timeout_s
            )
        assert arrived, f"no log line with {text!r} in {timeout_s} s, but {self.lines}"

    def list_about(self, urn: str) -> list[EngineLogLine]:
        return [line for line in self.lines if line.urn == urn]


@dataclass(frozen=True)
class RunningPlugin:
    """A running plugin and the two ends of the talk with it."""

    process: subprocess.Popen[bytes]
    stub: provider_pb2_grpc.ResourceProviderStub
    log: EngineLog
    stderr_path: Path


@contextmanager
def serve_engine_log() -> Iterator[tuple[EngineLog, int]]:
    log = EngineLog()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    engine_pb2_grpc.add_EngineServicer_to_server(log, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield log, port
    finally:
        server.stop(grace=None).wait()


@contextmanager
def start_plugin(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]
) -> Iterator[RunningPlugin]:
    """A plugin, started as the engine starts it; it is killed at the end."""
    stderr_path = folder / "plugin.stderr"
    inherited = {key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"}
    with serve_engine_log() as (log, engine_port), stderr_path.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, f"127.0.0.1:{engine_port}"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**inherited, **environment},
        )
        try:
            yield from connect(process, log, stderr_path)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()


def connect(
    process: subprocess.Popen[bytes], log: EngineLog, stderr_path: Path
) -> Iterator[RunningPlugin]:
    assert process.stdout
    port = process.stdout.readline().strip().decode()
    assert port.isdigit(), f"the plugin gave no port but {port!r}: {stderr_path.read_text()}"
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=MESSAGE_LIMIT) as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        yield RunningPlugin(process, stub, log, stderr_path)
