"""What happens at a daemon, in order: sent, made, read back. Blocking; run it in a thread."""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_offline.plugins.common.values import Properties
from pulumi_offline.plugins.docker.container import ContainerHandler
from pulumi_offline.plugins.docker.container_body import UnusableInputError
from pulumi_offline.plugins.docker.container_fields import CONTAINER
from pulumi_offline.plugins.docker.daemon import Daemon, DaemonError
from pulumi_offline.plugins.docker.dialling import EngineDialler
from pulumi_offline.plugins.docker.fields import ResourceType
from pulumi_offline.plugins.docker.handler import (
    PartialCreateError,
    ResourceHandler,
    ResourceUpdate,
)
from pulumi_offline.plugins.docker.plain import strip_marks, to_document, to_properties
from pulumi_offline.plugins.docker.service import ServiceHandler
from pulumi_offline.plugins.docker.service_fields import SECRET, SERVICE, SERVICE_CONFIG
from pulumi_offline.plugins.docker.settings import DaemonSettings
from pulumi_offline.plugins.docker.state_plan import keep_input_order, merge_desired
from pulumi_offline.plugins.docker.stored_files import ConfigHandler, SecretHandler

HANDLERS: dict[str, ResourceHandler] = {
    CONTAINER.token: ContainerHandler(),
    SECRET.token: SecretHandler(),
    SERVICE.token: ServiceHandler(),
    SERVICE_CONFIG.token: ConfigHandler(),
}


class OperationError(Exception):
    """A sentence for the user; nothing is left that the state does not hold."""


@dataclass(frozen=True)
class StoredResource:
    """A resource at a daemon, as the state holds it."""

    id: str
    state: Properties


class PartialOperationError(OperationError):
    """A resource was made before the failure."""

    def __init__(self, resource: StoredResource, reason: str) -> None:
        super().__init__(reason)
        self.resource = resource


@dataclass(frozen=True)
class DockerOperations:
    """The daemon of one provider, and what can be done there. Each call raises OperationError."""

    daemon: Daemon

    @classmethod
    def build(cls, settings: DaemonSettings) -> DockerOperations:
        return cls(Daemon(settings, EngineDialler(settings.ssh)))

    def create(self, resource_type: ResourceType, inputs: Properties) -> StoredResource:
        """Raises PartialOperationError if something failed after the resource was made."""
        desired = to_document(merge_desired(resource_type, inputs, None))
        try:
            resource_id = HANDLERS[resource_type.token].create(self.daemon, desired)
        except PartialCreateError as error:
            resource = self._read_created(resource_type, error.resource_id, inputs)
            raise PartialOperationError(resource, str(error)) from error
        except (DaemonError, UnusableInputError) as error:
            raise OperationError(str(error)) from error
        return self._read_created(resource_type, resource_id, inputs)

    def _read_created(
        self, resource_type: ResourceType, resource_id: str, inputs: Properties
    ) -> StoredResource:
        bare_inputs = strip_marks(inputs)
        resource = self.read(resource_type, resource_id, bare_inputs)
        if resource is None:
            raise OperationError(f"{resource_id} was created and disappeared")
        state = keep_input_order(resource_type.root, resource.state, bare_inputs)
        return StoredResource(resource.id, state)

    def read(
        self, resource_type: ResourceType, resource_id: str, state: Properties
    ) -> StoredResource | None:
        """None if the resource is gone."""
        try:
            document = HANDLERS[resource_type.token].read(
                self.daemon, resource_id, to_document(state)
            )
        except DaemonError as error:
            raise OperationError(str(error)) from error
        if document is None:
            return None
        return StoredResource(str(document["id"]), to_properties(document))

    def update(
        self, resource_type: ResourceType, resource: StoredResource, inputs: Properties
    ) -> Properties:
        desired = to_document(merge_desired(resource_type, inputs, resource.state))
        update = ResourceUpdate(to_document(resource.state), {**desired, "id": resource.id})
        try:
            document = HANDLERS[resource_type.token].update(self.daemon, resource.id, update)
        except (DaemonError, UnusableInputError) as error:
            raise OperationError(str(error)) from error
        return keep_input_order(resource_type.root, to_properties(document), strip_marks(inputs))

    def delete(self, resource_type: ResourceType, resource: StoredResource) -> None:
        try:
            state = to_document(resource.state)
            HANDLERS[resource_type.token].delete(self.daemon, resource.id, state)
        except DaemonError as error:
            raise OperationError(str(error)) from error

    def close(self) -> None:
        self.daemon.close()
