"""The engine's side of the protocol for the `command` plugin: what a test can ask of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from pulumi_offline_tests.conformance.values import from_struct, to_struct
from pulumi_offline_tests.plugin_process import EngineLog, find_plugin, start_plugin

URN = "urn:pulumi:dev::conformance::command:remote:Command::step"


@dataclass
class CommandPlugin:
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

    def check_successfully(self, inputs: dict[str, Any]) -> dict[str, Any]:
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
    def stderr(self) -> str:
        """What the plugin wrote to its stderr."""
        return self.stderr_path.read_text()


@contextmanager
def run_plugin(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str | Path] = (),
) -> Iterator[CommandPlugin]:
    """The installed plugin or another one, started as the engine starts it and configured."""
    argv = command or [find_plugin("command", "1.2.1")]
    with start_plugin(argv, folder, environment or {}) as running:
        plugin = CommandPlugin(running.process, running.stub, running.log, running.stderr_path)
        plugin.configure()
        yield plugin
