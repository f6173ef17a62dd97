"""Services of a Swarm: made, read, changed in place, and taken away."""

from __future__ import annotations

import time

from pulumi_offline.plugins.docker.container import ALREADY_GOING
from pulumi_offline.plugins.docker.container_body import build_labels
from pulumi_offline.plugins.docker.daemon import Client, Daemon, DaemonError, translate_errors
from pulumi_offline.plugins.docker.durations import parse_nanoseconds
from pulumi_offline.plugins.docker.kind import Change, Plain
from pulumi_offline.plugins.docker.service_body import (
    add_digest,
    build_endpoint_spec,
    build_task_template,
    mode,
)
from pulumi_offline.plugins.docker.service_state import read_service_state
from pulumi_offline.plugins.docker.stored import find_or_none

# terraform-provider-docker: a read waits so long for a new service to have an endpoint.
READ_LIMIT_S = 30.0
# It waits so long before it looks at all; this one stops waiting as soon as there is an endpoint.
SETTLE_S = 2.0
READ_AGAIN_S = 0.1


class Services:
    """`docker:index/service:Service`."""

    def create(self, daemon: Daemon, desired: Plain) -> str:
        template = pin_image(daemon, build_task_template(desired["taskSpec"]))
        with daemon.open_client() as client:
            result = client.create_service(
                template,
                name=desired["name"],
                labels=build_labels(desired.get("labels", [])),
                mode=mode(desired.get("mode", {})),
                endpoint_spec=build_endpoint_spec(desired.get("endpointSpec", {})),
            )
            return str(result["ID"])

    def read(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        """Waits until the Swarm has taken the service up, or at least plans its endpoint."""
        began = time.monotonic()
        while True:
            document = self._find(daemon, thing_id, before)
            waited_s = time.monotonic() - began
            if document is None or is_readable(document, waited_s):
                return document and {**before, **read_service_state(document)}
            if waited_s > READ_LIMIT_S:
                raise DaemonError(f"service {thing_id} has no endpoint after {READ_LIMIT_S:g} s")
            time.sleep(READ_AGAIN_S)

    def _find(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        """The service of that id; else the one of that name, as the official plugin takes it."""
        document = find_or_none(daemon, lambda client: client.inspect_service(thing_id))
        name = before.get("name")
        if document is not None or not name:
            return document
        with daemon.open_client() as client:
            named: list[Plain] = client.services(filters={"name": name})
        return next((entry for entry in named if entry["Spec"]["Name"] == name), None)

    def update(self, daemon: Daemon, thing_id: str, change: Change) -> Plain:
        desired = change.desired
        with daemon.open_client() as client:
            version = client.inspect_service(thing_id)["Version"]["Index"]
            client.update_service(
                thing_id,
                version,
                task_template=build_task_template(desired["taskSpec"]),
                name=desired["name"],
                labels=build_labels(desired.get("labels", [])),
                mode=mode(desired.get("mode", {})),
                endpoint_spec=build_endpoint_spec(desired.get("endpointSpec", {})),
            )
        document = self.read(daemon, thing_id, desired)
        return document if document is not None else desired

    def delete(self, daemon: Daemon, thing_id: str, before: Plain) -> None:
        """Removes the service; with a grace period, waits for its containers on this node."""
        spec = before.get("taskSpec", {}).get("containerSpec", {})
        grace_ns = parse_nanoseconds(spec.get("stopGracePeriod") or "")
        going = list_containers(daemon, before["name"]) if grace_ns else []
        with (
            translate_errors(f"Error deleting service with ID '{thing_id}': "),
            daemon.open_client() as client,
        ):
            client.remove_service(thing_id)
        for container in going:
            wait_and_remove(daemon, container, grace_ns / 1e9)


def is_readable(document: Plain, waited_s: float) -> bool:
    actual = (document.get("Endpoint") or {}).get("Spec") or {}
    intended = document["Spec"].get("EndpointSpec") or {}
    return bool(actual.get("Mode") or (waited_s >= SETTLE_S and intended.get("Mode")))


def pin_image(daemon: Daemon, template: Plain) -> Plain:
    """The template with the image's digest, where the daemon can ask its registry."""
    try:
        with daemon.open_client() as client:
            image = template["ContainerSpec"]["Image"]
            return add_digest(template, client.inspect_distribution(image))
    except DaemonError:
        return template


def list_containers(daemon: Daemon, service: str) -> list[str]:
    """The ids of a service's containers that were not told to end yet."""
    with daemon.open_client() as client:
        tasks: list[Plain] = client.tasks(filters={"service": service})
    states = [task["Status"] for task in tasks if task["Status"].get("State") != "shutdown"]
    document = [state.get("ContainerStatus", {}).get("ContainerID", "") for state in states]
    return [entry for entry in document if entry]


def wait_and_remove(daemon: Daemon, container: str, limit_s: float) -> None:
    """A container on another node is none of this daemon's."""
    try:
        doing = f"error on wait for container with ID '{container}': "
        with translate_errors(doing), daemon.open_client() as client:
            await_and_remove(client, container, limit_s)
    except DaemonError as error:
        if not any(text in str(error) for text in ALREADY_GOING):
            raise


def await_and_remove(client: Client, container: str, limit_s: float) -> None:
    client.wait(container, timeout=limit_s, condition="removed")
    client.remove_container(container, v=True, force=True)
