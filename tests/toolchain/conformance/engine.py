"""The engine's side of the protocol: starts a plugin, takes its log lines, asks it things."""

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
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from tests.toolchain.conformance.values import from_struct, to_struct

URN = "urn:pulumi:dev::conformance::command:remote:Command::step"
MESSAGE_LIMIT = [
    # pulumi's own limit (rpcutil.maxRPCMessageSize, 400 MiB), not gRPC's 4 MiB.
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
    # An error's text travels as metadata; the engine's own client takes 16 MiB of it.
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024 * 1024),
]
ROOT = Path(__file__).parents[3]


def plugin_folder(home: str | None) -> Path:
    """Where the plugin under test is installed: in PULUMI_HOME, else where `make setup` puts it."""
    pulumi_home = Path(home) if home else ROOT / ".toolchain" / "home"
    return pulumi_home / "plugins" / "resource-command-v1.2.1"


def find_plugin() -> Path:
    """The executable of the plugin under test; fails with the remedy if there is none."""
    folder = plugin_folder(os.environ.get("PULUMI_HOME"))
    found = shutil.which("pulumi-resource-command", path=str(folder))
    assert found, f"no command plugin in {folder}: run `make setup`, or set PULUMI_HOME"
    return Path(found)


@dataclass(frozen=True)
class LogLine:
    """One line that a plugin gave to the engine."""

    severity: str
    message: str
    urn: str
    ephemeral: bool


class EngineLog(engine_pb2_grpc.EngineServicer):
    """Takes log lines, as `pulumi` does for its display."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.arrived = threading.Condition()

    def Log(self, request, context):
        line = LogLine(
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
            came = self.arrived.wait_for(
                lambda: any(text in line.message for line in self.lines), timeout_s
            )
        assert came, f"no log line with {text!r} in {timeout_s} s, but {self.lines}"

    def about(self, urn: str) -> list[LogLine]:
        return [line for line in self.lines if line.urn == urn]


@dataclass
class Plugin:
    """A running plugin, spoken to as the engine speaks to it."""

    process: subprocess.Popen[bytes]
    stub: provider_pb2_grpc.ResourceProviderStub
    log: EngineLog
    stderr_path: Path
    timeout_s: float = 60

    def configure(self) -> provider_pb2.ConfigureResponse:
        response: provider_pb2.ConfigureResponse = self.stub.Configure(
            provider_pb2.ConfigureRequest(
                args=to_struct({}),
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
            ),
            timeout=self.timeout_s,
        )
        return response

    def check(self, inputs: dict[str, Any], urn: str = URN) -> provider_pb2.CheckResponse:
        request = provider_pb2.CheckRequest(urn=urn, news=to_struct(inputs))
        response: provider_pb2.CheckResponse = self.stub.Check(request, timeout=self.timeout_s)
        return response

    def checked(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs as Check left them; fails if it refused them."""
        response = self.check(inputs)
        assert not response.failures, response.failures
        return from_struct(response.inputs)

    def diff(
        self, old: dict[str, Any], new: dict[str, Any], ignore: tuple[str, ...] = ()
    ) -> provider_pb2.DiffResponse:
        """Old and new inputs are compared; the state is made of the old ones."""
        request = provider_pb2.DiffRequest(
            id="step1",
            urn=URN,
            olds=to_struct({**old, "stdout": "", "stderr": ""}),
            news=to_struct(new),
            old_inputs=to_struct(old),
            ignoreChanges=ignore,
        )
        response: provider_pb2.DiffResponse = self.stub.Diff(request, timeout=self.timeout_s)
        return response

    def create(
        self,
        inputs: dict[str, Any],
        *,
        urn: str = URN,
        preview: bool = False,
        timeout_s: float | None = None,
        resource_timeout_s: float = 0,
    ) -> dict[str, Any]:
        """The state after a create. Raises grpc.RpcError where the engine would see a failure.

        timeout_s is this client's patience, resource_timeout_s what the resource's options allow.
        """
        request = provider_pb2.CreateRequest(
            urn=urn, properties=to_struct(inputs), preview=preview, timeout=resource_timeout_s
        )
        response = self.stub.Create(request, timeout=timeout_s or self.timeout_s)
        return from_struct(response.properties)

    def create_call(self, inputs: dict[str, Any], urn: str = URN) -> Any:
        """A create that is under way: a future of the response."""
        request = provider_pb2.CreateRequest(urn=urn, properties=to_struct(inputs))
        return self.stub.Create.future(request, timeout=self.timeout_s)

    def update(
        self, state: dict[str, Any], inputs: dict[str, Any], *, preview: bool = False
    ) -> dict[str, Any]:
        old = {key: item for key, item in state.items() if key not in ("stdout", "stderr")}
        request = provider_pb2.UpdateRequest(
            id="step1",
            urn=URN,
            olds=to_struct(state),
            news=to_struct(inputs),
            old_inputs=to_struct(old),
            preview=preview,
        )
        return from_struct(self.stub.Update(request, timeout=self.timeout_s).properties)

    def delete(self, state: dict[str, Any]) -> None:
        request = provider_pb2.DeleteRequest(id="step1", urn=URN, properties=to_struct(state))
        self.stub.Delete(request, timeout=self.timeout_s)

    def read(
        self, state: dict[str, Any], inputs: dict[str, Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """The id, state and inputs that a refresh would keep."""
        request = provider_pb2.ReadRequest(
            id="step1", urn=URN, properties=to_struct(state), inputs=to_struct(inputs)
        )
        response = self.stub.Read(request, timeout=self.timeout_s)
        return response.id, from_struct(response.properties), from_struct(response.inputs)

    def cancel(self) -> None:
        self.stub.Cancel(empty_pb2.Empty(), timeout=self.timeout_s)

    @property
    def own_words(self) -> str:
        """What the plugin wrote to its stderr."""
        return self.stderr_path.read_text()


@contextmanager
def engine_log() -> Iterator[tuple[EngineLog, int]]:
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
def running_plugin(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str | Path] = (),
) -> Iterator[Plugin]:
    """The installed plugin or another one, started as the engine starts it and configured."""
    stderr_path = folder / "plugin.stderr"
    inherited = {key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"}
    with engine_log() as (log, engine_port), stderr_path.open("wb") as stderr:
        process = subprocess.Popen(
            [*(command or [find_plugin()]), f"127.0.0.1:{engine_port}"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**inherited, **(environment or {})},
        )
        try:
            yield from connect(process, log, stderr_path)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()


def connect(
    process: subprocess.Popen[bytes], log: EngineLog, stderr_path: Path
) -> Iterator[Plugin]:
    assert process.stdout
    port = process.stdout.readline().strip().decode()
    assert port.isdigit(), f"the plugin gave no port but {port!r}: {stderr_path.read_text()}"
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=MESSAGE_LIMIT) as channel:
        plugin = Plugin(process, provider_pb2_grpc.ResourceProviderStub(channel), log, stderr_path)
        plugin.configure()
        yield plugin
