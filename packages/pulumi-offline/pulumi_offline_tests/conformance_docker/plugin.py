"""The engine's side of the protocol for the `docker` plugin: what a test can ask of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from pulumi_offline_tests.conformance.values import from_struct, to_struct
from pulumi_offline_tests.plugin_process import RunningPlugin, find_plugin, start_plugin

NAME, VERSION = "docker", "5.2.0"
TYPES = {
    "Container": "docker:index/container:Container",
    "Secret": "docker:index/secret:Secret",
    "Service": "docker:index/service:Service",
    "ServiceConfig": "docker:index/serviceConfig:ServiceConfig",
}


def build_urn(kind: str, name: str = "thing") -> str:
    return f"urn:pulumi:dev::conformance::{TYPES.get(kind, kind)}::{name}"


@dataclass(frozen=True)
class CreatedResource:
    """A resource as the engine would hold it: kind, id, inputs and state."""

    kind: str
    id: str
    inputs: dict[str, Any]
    state: dict[str, Any]


@dataclass(frozen=True)
class DockerPlugin:
    """A running plugin, spoken to as the engine speaks to it."""

    running: RunningPlugin
    timeout_s: float = 120

    @property
    def stub(self) -> provider_pb2_grpc.ResourceProviderStub:
        return self.running.stub

    def configure(self, config: dict[str, Any]) -> provider_pb2.ConfigureResponse:
        checked = self.check_config(config)
        assert not checked.failures, checked.failures
        response: provider_pb2.ConfigureResponse = self.stub.Configure(
            provider_pb2.ConfigureRequest(
                variables={
                    f"docker:config:{key}": encode_text(item) for key, item in config.items()
                },
                args=checked.inputs,
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
            ),
            timeout=self.timeout_s,
        )
        return response

    def check_config(self, config: dict[str, Any]) -> provider_pb2.CheckResponse:
        """Objects and lists of a provider's configuration travel as JSON texts."""
        news = to_struct({key: encode_text(item) for key, item in config.items()})
        request = provider_pb2.CheckRequest(
            urn="urn:pulumi:dev::conformance::pulumi:providers:docker::default", news=news
        )
        response: provider_pb2.CheckResponse = self.stub.CheckConfig(
            request, timeout=self.timeout_s
        )
        return response

    def check(
        self, kind: str, inputs: dict[str, Any], olds: Mapping[str, Any] | None = None
    ) -> provider_pb2.CheckResponse:
        request = provider_pb2.CheckRequest(
            urn=build_urn(kind),
            news=to_struct(inputs),
            olds=to_struct(dict(olds)) if olds else None,
            randomSeed=b"x" * 32,
        )
        response: provider_pb2.CheckResponse = self.stub.Check(request, timeout=self.timeout_s)
        return response

    def check_successfully(
        self, kind: str, inputs: dict[str, Any], olds: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The inputs as Check left them; fails if it refused them."""
        response = self.check(kind, inputs, olds)
        assert not response.failures, response.failures
        return from_struct(response.inputs)

    def list_refusals(self, kind: str, inputs: dict[str, Any]) -> list[tuple[str, str]]:
        """Property and reason of what Check refuses."""
        return [(item.property, item.reason) for item in self.check(kind, inputs).failures]

    def create(self, kind: str, inputs: dict[str, Any]) -> CreatedResource:
        """Check and create, as `up` does. Raises grpc.RpcError where the engine would see one."""
        checked = self.check_successfully(kind, inputs)
        request = provider_pb2.CreateRequest(urn=build_urn(kind), properties=to_struct(checked))
        response = self.stub.Create(request, timeout=self.timeout_s)
        return CreatedResource(kind, response.id, checked, from_struct(response.properties))

    def preview_create(self, kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """What a preview of a create answers."""
        request = provider_pb2.CreateRequest(
            urn=build_urn(kind),
            properties=to_struct(self.check_successfully(kind, inputs)),
            preview=True,
        )
        return from_struct(self.stub.Create(request, timeout=self.timeout_s).properties)

    def diff(
        self, resource: CreatedResource, inputs: dict[str, Any], ignore: Sequence[str] = ()
    ) -> provider_pb2.DiffResponse:
        """What a preview with these inputs, checked against the old ones, finds."""
        request = provider_pb2.DiffRequest(
            id=resource.id,
            urn=build_urn(resource.kind),
            olds=to_struct(resource.state),
            old_inputs=to_struct(resource.inputs),
            news=to_struct(self.check_successfully(resource.kind, inputs, resource.inputs)),
            ignoreChanges=ignore,
        )
        response: provider_pb2.DiffResponse = self.stub.Diff(request, timeout=self.timeout_s)
        return response

    def update(
        self, resource: CreatedResource, inputs: dict[str, Any], *, preview: bool = False
    ) -> CreatedResource:
        checked = self.check_successfully(resource.kind, inputs, resource.inputs)
        request = provider_pb2.UpdateRequest(
            id=resource.id,
            urn=build_urn(resource.kind),
            olds=to_struct(resource.state),
            old_inputs=to_struct(resource.inputs),
            news=to_struct(checked),
            preview=preview,
        )
        response = self.stub.Update(request, timeout=self.timeout_s)
        return CreatedResource(
            resource.kind, resource.id, checked, from_struct(response.properties)
        )

    def refresh(self, resource: CreatedResource) -> CreatedResource | None:
        """The resource as a refresh keeps it, None where it is gone."""
        request = provider_pb2.ReadRequest(
            id=resource.id,
            urn=build_urn(resource.kind),
            properties=to_struct(resource.state),
            inputs=to_struct(resource.inputs),
        )
        response = self.stub.Read(request, timeout=self.timeout_s)
        if not response.id:
            return None
        read = from_struct(response.inputs), from_struct(response.properties)
        return CreatedResource(resource.kind, response.id, *read)

    def delete(self, resource: CreatedResource) -> None:
        request = provider_pb2.DeleteRequest(
            id=resource.id,
            urn=build_urn(resource.kind),
            properties=to_struct(resource.state),
            old_inputs=to_struct(resource.inputs),
        )
        self.stub.Delete(request, timeout=self.timeout_s)


def encode_text(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item)


@contextmanager
def run_plugin(
    folder: Path,
    config: dict[str, Any],
    environment: Mapping[str, str] | None = None,
    command: Sequence[str | Path] = (),
) -> Iterator[DockerPlugin]:
    """The installed plugin or another one, started as the engine starts it and configured."""
    argv = command or [find_plugin(NAME, VERSION)]
    with start_plugin(argv, folder, environment or {}) as running:
        plugin = DockerPlugin(running)
        plugin.configure(config)
        yield plugin
