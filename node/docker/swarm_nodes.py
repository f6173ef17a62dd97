"""The nodes of a Swarm as its manager knows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from node.host.docker_api import send
from node.host.docker_query import query
from node.host.plain import as_list, as_mapping
from node.host.system import System

READY, DRAIN = "ready", "drain"


@dataclass(frozen=True)
class SwarmNodeRecord:
    """`state` is ready, down, disconnected or unknown; `availability` active, pause or drain."""

    id: str
    hostname: str
    created: str
    state: str
    availability: str
    labels: dict[str, str]
    version: int
    spec: Mapping[str, object]


def read(system: System) -> list[SwarmNodeRecord]:
    """By hostname, oldest first; empty on a node that is no manager. Raises DockerUnknown."""
    nodes = map(_parse, as_list(query(system, "/nodes")))
    return sorted(nodes, key=lambda node: (node.hostname, node.created))


def _parse(value: object) -> SwarmNodeRecord:
    node = as_mapping(value)
    spec = as_mapping(node.get("Spec"))
    return SwarmNodeRecord(
        id=str(node["ID"]),
        hostname=str(as_mapping(node.get("Description")).get("Hostname", "")),
        created=str(node.get("CreatedAt", "")),
        state=str(as_mapping(node.get("Status")).get("State", "unknown")),
        availability=str(spec.get("Availability", "active")),
        labels=as_mapping(spec.get("Labels")),
        version=int(as_mapping(node.get("Version")).get("Index", 0)),
        spec=spec,
    )


def update(
    system: System,
    node: SwarmNodeRecord,
    labels: Mapping[str, str | None],
    availability: str | None = None,
) -> None:
    """Replace the labels (null removes one), and the availability where one is given."""
    labels_to_set = {name: value for name, value in labels.items() if value is not None}
    spec = {**node.spec, "Labels": labels_to_set, "Availability": availability or node.availability}
    send(system, "POST", f"/nodes/{node.id}/update?version={node.version}", spec)


def count_tasks(system: System, node: SwarmNodeRecord) -> int:
    """The number of tasks that still run on it. Raises DockerUnknown."""
    filters = json.dumps({"node": [node.id], "desired-state": ["running"]})
    return len(as_list(query(system, "/tasks", filters=filters)))


def remove(system: System, node: SwarmNodeRecord) -> None:
    send(system, "DELETE", f"/nodes/{node.id}?force=true")
