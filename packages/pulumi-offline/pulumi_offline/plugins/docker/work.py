"""What happens at a daemon, in order: told, made, read back. Blocking; run it in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pulumi_offline.plugins.common.values import Properties
from pulumi_offline.plugins.docker.container import Containers
from pulumi_offline.plugins.docker.container_body import Unusable
from pulumi_offline.plugins.docker.container_fields import CONTAINER
from pulumi_offline.plugins.docker.daemon import Daemon, DaemonError
from pulumi_offline.plugins.docker.dialling import Dialler
from pulumi_offline.plugins.docker.fields import Resource
from pulumi_offline.plugins.docker.image import RemoteImages
from pulumi_offline.plugins.docker.kind import Change, HalfMade, Kind
from pulumi_offline.plugins.docker.network import Networks
from pulumi_offline.plugins.docker.other_fields import NETWORK, REMOTE_IMAGE
from pulumi_offline.plugins.docker.plain import strip_marks, to_plain, to_wire
from pulumi_offline.plugins.docker.planned import build_applied_state, build_desired
from pulumi_offline.plugins.docker.service import Services
from pulumi_offline.plugins.docker.settings import Settings
from pulumi_offline.plugins.docker.stored import Secrets, ServiceConfigs
from pulumi_offline.plugins.docker.swarm_fields import SECRET, SERVICE, SERVICE_CONFIG

KINDS: dict[str, Kind] = {
    CONTAINER.token: Containers(),
    NETWORK.token: Networks(),
    REMOTE_IMAGE.token: RemoteImages(),
    SECRET.token: Secrets(),
    SERVICE.token: Services(),
    SERVICE_CONFIG.token: ServiceConfigs(),
}


class Failed(Exception):
    """A sentence for the user; nothing is left that the state does not hold."""


@dataclass(frozen=True)
class Thing:
    """A thing at a daemon, as the state holds it."""

    id: str
    state: Properties


class PartlyMade(Failed):
    """A thing that was made before the failure."""

    def __init__(self, remote_object: Thing, reason: str) -> None:
        super().__init__(reason)
        self.thing = remote_object


@dataclass(frozen=True)
class Work:
    """The daemon of one provider, and what can be done there. Each call raises Failed."""

    daemon: Daemon

    @classmethod
    def open(cls, settings: Settings) -> Work:
        return cls(Daemon(settings, Dialler(settings.ssh)))

    def create(self, resource: Resource, inputs: Properties) -> Thing:
        """Raises PartlyMade where the thing was made and something after it failed."""
        wanted = to_plain(build_desired(resource, inputs, None))
        try:
            result = KINDS[resource.token].create(self.daemon, wanted)
        except HalfMade as error:
            raise PartlyMade(
                self._build_object(resource, error.made_id, inputs), str(error)
            ) from error
        except (DaemonError, Unusable) as error:
            raise Failed(str(error)) from error
        return self._build_object(resource, result, inputs)

    def _build_object(self, resource: Resource, thing_id: str, inputs: Properties) -> Thing:
        inputs_value = strip_inputs(inputs)
        document = self.read(resource, thing_id, inputs_value)
        if document is None:
            raise Failed(f"{thing_id} was made and is gone again")
        return Thing(document.id, build_applied_state(resource.root, document.state, inputs_value))

    def read(self, resource: Resource, thing_id: str, state: Properties) -> Thing | None:
        """None where the thing is gone."""
        try:
            document = KINDS[resource.token].read(self.daemon, thing_id, to_plain(state))
        except DaemonError as error:
            raise Failed(str(error)) from error
        return None if document is None else Thing(str(document["id"]), to_properties(document))

    def update(self, resource: Resource, remote_object: Thing, inputs: Properties) -> Properties:
        wanted = build_desired(resource, inputs, remote_object.state)
        change = Change(to_plain(remote_object.state), {**to_plain(wanted), "id": remote_object.id})
        try:
            document = KINDS[resource.token].update(self.daemon, remote_object.id, change)
        except (DaemonError, Unusable) as error:
            raise Failed(str(error)) from error
        return build_applied_state(resource.root, to_properties(document), strip_inputs(inputs))

    def delete(self, resource: Resource, remote_object: Thing) -> None:
        try:
            KINDS[resource.token].delete(
                self.daemon, remote_object.id, to_plain(remote_object.state)
            )
        except DaemonError as error:
            raise Failed(str(error)) from error

    def close(self) -> None:
        self.daemon.close()


def strip_inputs(inputs: Properties) -> Properties:
    """Inputs without marks and bookkeeping."""
    stripped = strip_marks(inputs)
    return stripped if isinstance(stripped, dict) else {}


def to_properties(document: dict[str, Any]) -> Properties:
    result = to_wire(document)
    return result if isinstance(result, dict) else {}
