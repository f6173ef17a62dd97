"""Secrets and configs, which a Swarm keeps for its services. Neither can be changed in place."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from pulumi_offline.plugins.docker.container_body import build_labels
from pulumi_offline.plugins.docker.daemon import Client, Daemon, Missing
from pulumi_offline.plugins.docker.kind import Change, Plain
from pulumi_offline.plugins.docker.service_state import read_label_list


def find_or_none(daemon: Daemon, inspect: Callable[[Client], Any]) -> Plain | None:
    try:
        with daemon.open_client() as client:
            document: Plain = inspect(client)
            return document
    except Missing:
        return None


class Secrets:
    """`docker:index/secret:Secret`. The daemon never tells the data: the state's are kept."""

    def create(self, daemon: Daemon, desired: Plain) -> str:
        data = base64.b64decode(desired["data"])
        with daemon.open_client() as client:
            named = build_labels(desired.get("labels", []))
            return str(client.create_secret(desired["name"], data, labels=named)["ID"])

    def read(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        document = find_or_none(daemon, lambda client: client.inspect_secret(thing_id))
        return document and {**before, "id": document["ID"], "name": document["Spec"]["Name"]}

    def update(self, daemon: Daemon, thing_id: str, change: Change) -> Plain:
        raise NotImplementedError("each change of a secret replaces it")

    def delete(self, daemon: Daemon, thing_id: str, before: Plain) -> None:
        with daemon.open_client() as client:
            client.remove_secret(thing_id)


class ServiceConfigs:
    """`docker:index/serviceConfig:ServiceConfig`."""

    def create(self, daemon: Daemon, desired: Plain) -> str:
        raw = desired.get("dataRaw")
        data = base64.b64decode(desired["data"]) if raw is None else raw.encode()
        with daemon.open_client() as client:
            named = build_labels(desired.get("labels", []))
            return str(client.create_config(desired["name"], data, labels=named)["ID"])

    def read(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        document = find_or_none(daemon, lambda client: client.inspect_config(thing_id))
        return document and {**before, **read_config_state(document, before)}

    def update(self, daemon: Daemon, thing_id: str, change: Change) -> Plain:
        raise NotImplementedError("each change of a config replaces it")

    def delete(self, daemon: Daemon, thing_id: str, before: Plain) -> None:
        with daemon.open_client() as client:
            client.remove_config(thing_id)


def read_config_state(document: Plain, before: Plain) -> Plain:
    """The data in the form in which they were given."""
    encoded = document["Spec"].get("Data", "")
    raw = before.get("dataRaw")
    data = {"data": encoded} if raw is None else {"dataRaw": base64.b64decode(encoded).decode()}
    return {
        "id": document["ID"],
        "name": document["Spec"]["Name"],
        "labels": read_label_list(document["Spec"].get("Labels")),
        **data,
    }
