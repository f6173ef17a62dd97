"""Secrets and configs, which a Swarm keeps for its services. Neither can be changed in place."""

from __future__ import annotations

import base64
from collections.abc import Callable

from pulumi_offline.plugins.docker.container_body import build_labels
from pulumi_offline.plugins.docker.daemon import Daemon, DockerClient, NotFoundError
from pulumi_offline.plugins.docker.documents import Document, get_document, get_text
from pulumi_offline.plugins.docker.handler import ResourceUpdate
from pulumi_offline.plugins.docker.service_state import build_label_state


def inspect_if_present(
    daemon: Daemon, inspect: Callable[[DockerClient], Document]
) -> Document | None:
    """What the Engine says about a resource; None if there is none."""
    try:
        with daemon.connect() as client:
            return inspect(client)
    except NotFoundError:
        return None


class SecretHandler:
    """`docker:index/secret:Secret`. The daemon never shows the data: the state's are kept."""

    def create(self, daemon: Daemon, desired: Document) -> str:
        data = base64.b64decode(get_text(desired, "data"))
        with daemon.connect() as client:
            labels = build_labels(desired)
            return str(client.create_secret(desired["name"], data, labels=labels)["ID"])

    def read(self, daemon: Daemon, resource_id: str, before: Document) -> Document | None:
        inspected = inspect_if_present(daemon, lambda client: client.inspect_secret(resource_id))
        if inspected is None:
            return None
        return {**before, "id": inspected["ID"], "name": get_document(inspected, "Spec")["Name"]}

    def update(self, daemon: Daemon, resource_id: str, update: ResourceUpdate) -> Document:
        raise NotImplementedError("each change of a secret replaces it")

    def delete(self, daemon: Daemon, resource_id: str, before: Document) -> None:
        with daemon.connect() as client:
            client.remove_secret(resource_id)


class ConfigHandler:
    """`docker:index/serviceConfig:ServiceConfig`."""

    def create(self, daemon: Daemon, desired: Document) -> str:
        data = base64.b64decode(get_text(desired, "data"))
        with daemon.connect() as client:
            labels = build_labels(desired)
            return str(client.create_config(desired["name"], data, labels=labels)["ID"])

    def read(self, daemon: Daemon, resource_id: str, before: Document) -> Document | None:
        inspected = inspect_if_present(daemon, lambda client: client.inspect_config(resource_id))
        if inspected is None:
            return None
        spec = get_document(inspected, "Spec")
        return {
            **before,
            "id": inspected["ID"],
            "name": spec["Name"],
            "labels": build_label_state(spec),
            "data": get_text(spec, "Data"),
        }

    def update(self, daemon: Daemon, resource_id: str, update: ResourceUpdate) -> Document:
        raise NotImplementedError("each change of a config replaces it")

    def delete(self, daemon: Daemon, resource_id: str, before: Document) -> None:
        with daemon.connect() as client:
            client.remove_config(resource_id)
