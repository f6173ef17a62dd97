"""Containers: created and started, read, started again, and removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pulumi_offline.plugins.docker.container_body import build_container_body
from pulumi_offline.plugins.docker.container_state import build_container_state
from pulumi_offline.plugins.docker.daemon import (
    Daemon,
    DaemonError,
    NotFoundError,
    prefix_errors,
)
from pulumi_offline.plugins.docker.documents import Document, get_integer, get_text
from pulumi_offline.plugins.docker.handler import PartialCreateError, ResourceUpdate
from pulumi_offline.plugins.docker.image import ensure_image

# What a delete may meet when somebody else deletes as well.
REMOVAL_RACES = ("No such container", "is already in progress")


class ContainerHandler:
    """`docker:index/container:Container`."""

    def create(self, daemon: Daemon, desired: Document) -> str:
        """Creates and starts it; if the start fails, the created container stays on the node."""
        image = get_text(desired, "image")
        with prefix_errors(f"Unable to create container with image {image}: "):
            ensure_image(daemon, image)
        body = build_container_body(desired)
        with prefix_errors("Unable to create container: "), daemon.connect() as client:
            response = client.create_container_from_config(body, name=desired["name"])
        container_id = str(response["Id"])
        try:
            self._start(daemon, container_id, desired)
        except DaemonError as error:
            raise PartialCreateError(container_id, str(error)) from error
        return container_id

    def _start(self, daemon: Daemon, container_id: str, desired: Document) -> None:
        if desired["start"]:
            with prefix_errors("Unable to start container: "), daemon.connect() as client:
                client.start(container_id)

    def read(self, daemon: Daemon, resource_id: str, before: Document) -> Document | None:
        try:
            with daemon.connect() as client:
                return build_container_state(client.inspect_container(resource_id), before)
        except NotFoundError:
            return None

    def update(self, daemon: Daemon, resource_id: str, update: ResourceUpdate) -> Document:
        """Starts what should run, and changes the restart policy; nothing else reaches the node.

        Anything else that counts as an update (a mount of several) is only written down: so does
        the official plugin.
        """
        if update.desired["mustRun"] and not update.before.get("mustRun"):
            self._start(daemon, resource_id, update.desired)
        if update.desired["restart"] != update.before.get("restart"):
            policy = {"Name": update.desired["restart"], "MaximumRetryCount": 0}
            with prefix_errors("Unable to update a container: "), daemon.connect() as client:
                client.update_container(resource_id, restart_policy=policy)
        return update.desired

    def delete(self, daemon: Daemon, resource_id: str, before: Document) -> None:
        with ignore_removal_races(f"Error stopping container {resource_id}: "):
            self._stop(daemon, resource_id, get_integer(before, "destroyGraceSeconds"))
        with ignore_removal_races(f"Error deleting container {resource_id}: "):
            self._remove(daemon, resource_id, volumes=bool(before.get("removeVolumes", True)))
        with ignore_removal_races(f"Error waiting for container removal '{resource_id}': "):
            self._wait(daemon, resource_id)

    def _stop(self, daemon: Daemon, container_id: str, grace_s: int) -> None:
        with daemon.connect() as client:
            client.stop(container_id, timeout=grace_s)

    def _remove(self, daemon: Daemon, container_id: str, *, volumes: bool) -> None:
        with daemon.connect() as client:
            client.remove_container(container_id, v=volumes, force=True)

    def _wait(self, daemon: Daemon, container_id: str) -> None:
        with daemon.connect() as client:
            client.wait(container_id, condition="not-running")


@contextmanager
def ignore_removal_races(prefix: str) -> Iterator[None]:
    """Passes over the errors that say that the container is gone or going."""
    try:
        with prefix_errors(prefix):
            yield
    except DaemonError as error:
        if not any(text in str(error) for text in REMOVAL_RACES):
            raise
