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
from pulumi_offline.plugins.docker.plain import as_wire, plain, without_marks
from pulumi_offline.plugins.docker.planned import applied, desired
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

    def __init__(self, thing: Thing, reason: str) -> None:
        super().__init__(reason)
        self.thing = thing


@dataclass(frozen=True)
class Work:
    """The daemon of one provider, and what can be done there. Each call raises Failed."""

    daemon: Daemon

    @classmethod
    def at(cls, settings: Settings) -> Work:
        return cls(Daemon(settings, Dialler(settings.ssh)))

    def create(self, resource: Resource, inputs: Properties) -> Thing:
        """Raises PartlyMade where the thing was made and something after it failed."""
        wanted = plain(desired(resource, inputs, None))
        try:
            made = KINDS[resource.token].create(self.daemon, wanted)
        except HalfMade as error:
            raise PartlyMade(self._made(resource, error.made_id, inputs), str(error)) from error
        except (DaemonError, Unusable) as error:
            raise Failed(str(error)) from error
        return self._made(resource, made, inputs)

    def _made(self, resource: Resource, thing_id: str, inputs: Properties) -> Thing:
        given = bare(inputs)
        found = self.read(resource, thing_id, given)
        if found is None:
            raise Failed(f"{thing_id} was made and is gone again")
        return Thing(found.id, applied(resource.root, found.state, given))

    def read(self, resource: Resource, thing_id: str, state: Properties) -> Thing | None:
        """None where the thing is gone."""
        try:
            found = KINDS[resource.token].read(self.daemon, thing_id, plain(state))
        except DaemonError as error:
            raise Failed(str(error)) from error
        return None if found is None else Thing(str(found["id"]), as_properties(found))

    def update(self, resource: Resource, thing: Thing, inputs: Properties) -> Properties:
        wanted = desired(resource, inputs, thing.state)
        change = Change(plain(thing.state), {**plain(wanted), "id": thing.id})
        try:
            found = KINDS[resource.token].update(self.daemon, thing.id, change)
        except (DaemonError, Unusable) as error:
            raise Failed(str(error)) from error
        return applied(resource.root, as_properties(found), bare(inputs))

    def delete(self, resource: Resource, thing: Thing) -> None:
        try:
            KINDS[resource.token].delete(self.daemon, thing.id, plain(thing.state))
        except DaemonError as error:
            raise Failed(str(error)) from error

    def close(self) -> None:
        self.daemon.close()


def bare(inputs: Properties) -> Properties:
    """Inputs without marks and bookkeeping."""
    stripped = without_marks(inputs)
    return stripped if isinstance(stripped, dict) else {}


def as_properties(found: dict[str, Any]) -> Properties:
    made = as_wire(found)
    return made if isinstance(made, dict) else {}
