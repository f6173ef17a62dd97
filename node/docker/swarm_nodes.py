"""The nodes of a Swarm as its manager knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.host.docker_api import get, send
from node.host.plain import listing, mapping
from node.host.system import System

READY, DRAIN = "ready", "drain"


@dataclass(frozen=True)
class Node:
    """`state` is ready, down, disconnected or unknown; `availability` active, pause or drain."""

    id: str
    hostname: str
    created: str
    state: str
    availability: str
    labels: dict[str, str]
    version: int
    spec: Mapping[str, Any]


def read(system: System) -> list[Node]:
    """By hostname, oldest first; empty on a node that is no manager."""
    found = map(_parse, listing(get(system, "/nodes")))
    return sorted(found, key=lambda node: (node.hostname, node.created))


def _parse(found: object) -> Node:
    one = mapping(found)
    spec = mapping(one.get("Spec"))
    return Node(
        id=str(one["ID"]),
        hostname=str(mapping(one.get("Description")).get("Hostname", "")),
        created=str(one.get("CreatedAt", "")),
        state=str(mapping(one.get("Status")).get("State", "unknown")),
        availability=str(spec.get("Availability", "active")),
        labels=mapping(spec.get("Labels")),
        version=int(mapping(one.get("Version")).get("Index", 0)),
        spec=spec,
    )


def update(
    system: System, node: Node, labels: Mapping[str, str | None], availability: str | None = None
) -> None:
    """Set these labels, null for none, and the availability where one is given."""
    kept = {name: value for name, value in labels.items() if value is not None}
    spec = {**node.spec, "Labels": kept, "Availability": availability or node.availability}
    send(system, "POST", f"/nodes/{node.id}/update?version={node.version}", spec)


def tasks_on(system: System, node: Node) -> int:
    """Tasks that still run there."""
    query = f'/tasks?filters={{"node":["{node.id}"],"desired-state":["running"]}}'
    return len(listing(get(system, query.replace('"', "%22"))))


def remove(system: System, node: Node) -> None:
    send(system, "DELETE", f"/nodes/{node.id}?force=true")
