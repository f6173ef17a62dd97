"""What the plugin can do with a resource of one type: the four calls that reach a daemon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pulumi_offline.plugins.docker.daemon import Daemon
from pulumi_offline.plugins.docker.documents import Document


class PartialCreateError(Exception):
    """A create that made the resource and then failed: it belongs into the state all the same."""

    def __init__(self, resource_id: str, reason: str) -> None:
        super().__init__(reason)
        self.resource_id = resource_id


@dataclass(frozen=True)
class ResourceUpdate:
    """An update: the state before, and the desired one."""

    before: Document
    desired: Document


class ResourceHandler(Protocol):
    """All raise DaemonError with the sentence that a user is shown."""

    def create(self, daemon: Daemon, desired: Document) -> str:
        """Makes the resource and returns its id. Raises PartialCreateError and
        UnusableInputError too."""

    def read(self, daemon: Daemon, resource_id: str, before: Document) -> Document | None:
        """The state, `id` included; None if the resource is gone."""

    def update(self, daemon: Daemon, resource_id: str, update: ResourceUpdate) -> Document:
        """Changes the resource in place and returns its state."""

    def delete(self, daemon: Daemon, resource_id: str, before: Document) -> None:
        """Removes the resource."""
