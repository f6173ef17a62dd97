"""Services of a Swarm: created, read, changed in place, and removed."""

from __future__ import annotations

import time

from pulumi_offline.plugins.docker.container import REMOVAL_RACES
from pulumi_offline.plugins.docker.container_body import build_labels
from pulumi_offline.plugins.docker.daemon import Daemon, DaemonError, DockerClient, prefix_errors
from pulumi_offline.plugins.docker.documents import Document, get_document, get_text
from pulumi_offline.plugins.docker.durations import parse_nanoseconds
from pulumi_offline.plugins.docker.handler import ResourceUpdate
from pulumi_offline.plugins.docker.service_body import build_mode, build_task_template, pin_digest
from pulumi_offline.plugins.docker.service_state import build_service_state
from pulumi_offline.plugins.docker.stored_files import inspect_if_present

# terraform-provider-docker: a read waits so long for a new service to have an endpoint.
READ_LIMIT_S = 30.0
# It waits so long before it looks at all; this one stops waiting as soon as there is an endpoint.
SETTLE_S = 2.0
READ_AGAIN_S = 0.1
# The official plugin always sends one, and the Engine then chooses its mode.
NEW_ENDPOINT = {"Mode": "", "Ports": []}


class ServiceHandler:
    """`docker:index/service:Service`."""

    def create(self, daemon: Daemon, desired: Document) -> str:
        template = pin_image(daemon, build_task_template(get_document(desired, "taskSpec")))
        with daemon.connect() as client:
            response = client.create_service(
                template,
                name=desired["name"],
                labels=build_labels(desired),
                mode=build_mode(get_document(desired, "mode")),
                endpoint_spec=NEW_ENDPOINT,
            )
            return str(response["ID"])

    def read(self, daemon: Daemon, resource_id: str, before: Document) -> Document | None:
        """Waits until the Swarm has taken the service up, or at least plans its endpoint."""
        start_s = time.monotonic()
        while True:
            inspected = self._inspect(daemon, resource_id, before)
            waited_s = time.monotonic() - start_s
            if inspected is None or is_readable(inspected, waited_s):
                return inspected and {**before, **build_service_state(inspected)}
            if waited_s > READ_LIMIT_S:
                raise DaemonError(f"service {resource_id} has no endpoint after {READ_LIMIT_S:g} s")
            time.sleep(READ_AGAIN_S)

    def _inspect(self, daemon: Daemon, resource_id: str, before: Document) -> Document | None:
        """The service of that id; else the one of that name, as the official plugin takes it."""
        inspected = inspect_if_present(daemon, lambda client: client.inspect_service(resource_id))
        name = before.get("name")
        if inspected is not None or not name:
            return inspected
        with daemon.connect() as client:
            services: list[Document] = client.services(filters={"name": name})
        named = (service for service in services if get_document(service, "Spec")["Name"] == name)
        return next(named, None)

    def update(self, daemon: Daemon, resource_id: str, update: ResourceUpdate) -> Document:
        desired = update.desired
        with daemon.connect() as client:
            current = client.inspect_service(resource_id)
            client.update_service(
                resource_id,
                current["Version"]["Index"],
                task_template=build_task_template(get_document(desired, "taskSpec")),
                name=desired["name"],
                labels=build_labels(desired),
                mode=build_mode(get_document(desired, "mode")),
                endpoint_spec=current["Spec"].get("EndpointSpec"),
            )
        return self.read(daemon, resource_id, desired) or desired

    def delete(self, daemon: Daemon, resource_id: str, before: Document) -> None:
        """Removes the service; with a grace period, waits for its containers on this node."""
        spec = get_document(get_document(before, "taskSpec"), "containerSpec")
        grace_ns = parse_nanoseconds(get_text(spec, "stopGracePeriod"))
        stopping = list_containers(daemon, get_text(before, "name")) if grace_ns else []
        prefix = f"Error deleting service with ID '{resource_id}': "
        with prefix_errors(prefix), daemon.connect() as client:
            client.remove_service(resource_id)
        for container in stopping:
            wait_and_remove(daemon, container, grace_ns / 1e9)


def is_readable(inspected: Document, waited_s: float) -> bool:
    actual = get_document(get_document(inspected, "Endpoint"), "Spec")
    intended = get_document(get_document(inspected, "Spec"), "EndpointSpec")
    return bool(actual.get("Mode") or (waited_s >= SETTLE_S and intended.get("Mode")))


def pin_image(daemon: Daemon, template: Document) -> Document:
    """The template with the image's digest, where the daemon can ask its registry."""
    try:
        with daemon.connect() as client:
            image = get_document(template, "ContainerSpec")["Image"]
            return pin_digest(template, client.inspect_distribution(image))
    except DaemonError:
        return template


def list_containers(daemon: Daemon, service: str) -> list[str]:
    """The ids of a service's containers that are not shutting down."""
    with daemon.connect() as client:
        tasks: list[Document] = client.tasks(filters={"service": service})
    states = [get_document(task, "Status") for task in tasks]
    running = [state for state in states if state.get("State") != "shutdown"]
    ids = [get_text(get_document(state, "ContainerStatus"), "ContainerID") for state in running]
    return [container for container in ids if container]


def wait_and_remove(daemon: Daemon, container: str, limit_s: float) -> None:
    """A container on another node is none of this daemon's."""
    try:
        prefix = f"error on wait for container with ID '{container}': "
        with prefix_errors(prefix), daemon.connect() as client:
            await_and_remove(client, container, limit_s)
    except DaemonError as error:
        if not any(text in str(error) for text in REMOVAL_RACES):
            raise


def await_and_remove(client: DockerClient, container: str, limit_s: float) -> None:
    client.wait(container, timeout=limit_s, condition="removed")
    client.remove_container(container, v=True, force=True)
