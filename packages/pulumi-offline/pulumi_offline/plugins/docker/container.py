"""Containers: made and started, read, started again, and taken away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pulumi_offline.plugins.docker.container_body import build_container_body
from pulumi_offline.plugins.docker.container_state import read_container_state
from pulumi_offline.plugins.docker.daemon import Daemon, DaemonError, Missing, translate_errors
from pulumi_offline.plugins.docker.image import ensure_image
from pulumi_offline.plugins.docker.kind import Change, HalfMade, Plain

# What a delete may meet when somebody else deletes as well.
ALREADY_GOING = ("No such container", "is already in progress")


class Containers:
    """`docker:index/container:Container`."""

    def create(self, daemon: Daemon, desired: Plain) -> str:
        """Makes and starts it; where the start fails, what was made stays on the node."""
        image = desired["image"]
        with translate_errors(f"Unable to create container with image {image}: "):
            ensure_image(daemon, image)
        body = build_container_body(desired)
        with translate_errors("Unable to create container: "), daemon.open_client() as client:
            result = str(client.create_container_from_config(body, name=desired["name"])["Id"])
        try:
            self._start(daemon, result, desired)
        except DaemonError as error:
            raise HalfMade(result, str(error)) from error
        return result

    def _start(self, daemon: Daemon, thing_id: str, desired: Plain) -> None:
        if desired["start"]:
            with translate_errors("Unable to start container: "), daemon.open_client() as client:
                client.start(thing_id)

    def read(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        try:
            with daemon.open_client() as client:
                return read_container_state(client.inspect_container(thing_id), before)
        except Missing:
            return None

    def update(self, daemon: Daemon, thing_id: str, change: Change) -> Plain:
        """Starts what should run, and changes the restart policy; nothing else reaches the node.

        The rest of what counts as an update (a health check, a mount of several) is only written
        down: so does the official plugin.
        """
        if change.desired["mustRun"] and not change.before.get("mustRun"):
            self._start(daemon, thing_id, change.desired)
        if change.desired["restart"] != change.before.get("restart"):
            policy = {"Name": change.desired["restart"], "MaximumRetryCount": 0}
            with translate_errors("Unable to update a container: "), daemon.open_client() as client:
                client.update_container(thing_id, restart_policy=policy)
        return change.desired

    def delete(self, daemon: Daemon, thing_id: str, before: Plain) -> None:
        grace_s = int(before.get("destroyGraceSeconds") or 0)
        with (
            tolerate_removal(f"Error stopping container {thing_id}: "),
            daemon.open_client() as client,
        ):
            client.stop(thing_id, timeout=grace_s)
        with (
            tolerate_removal(f"Error deleting container {thing_id}: "),
            daemon.open_client() as client,
        ):
            client.remove_container(thing_id, v=before.get("removeVolumes", True), force=True)
        condition = "removed" if before.get("rm") else "not-running"
        waiting = f"Error waiting for container removal '{thing_id}': "
        with tolerate_removal(waiting), daemon.open_client() as client:
            client.wait(thing_id, condition=condition)


@contextmanager
def tolerate_removal(before: str) -> Iterator[None]:
    """Passes over the errors that say that the container is gone or going."""
    try:
        with translate_errors(before):
            yield
    except DaemonError as error:
        if not any(text in str(error) for text in ALREADY_GOING):
            raise
