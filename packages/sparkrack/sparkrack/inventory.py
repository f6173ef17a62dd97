"""The running racks, read from container labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Network

from sparkform.errors import InputError, Problem
from sparkrack import commands, daemon
from sparkrack.host import ask, must
from sparkrack.layout import (
    LABEL_HOST_KEY,
    LABEL_NAME,
    LABEL_NODE,
    LABEL_SHAPE,
    LABEL_SUBNET,
    SimulatedRack,
)
from sparkrack.shape import RackShape


@dataclass(frozen=True)
class NodeContainer:
    """One node's container as Docker shows it."""

    container: str
    state: str
    labels: dict[str, str]

    @property
    def hostname(self) -> str:
        return self.labels[LABEL_NODE]

    @property
    def host_key(self) -> str:
        return self.labels[LABEL_HOST_KEY]


def parse_containers(inspected: str) -> list[NodeContainer]:
    """From `docker inspect`, in the order of the host names."""
    node_containers = [
        NodeContainer(
            entry["Name"].lstrip("/"), entry["State"]["Status"], entry["Config"]["Labels"]
        )
        for entry in json.loads(inspected)
    ]
    return sorted(node_containers, key=lambda node: (len(node.hostname), node.hostname))


def list_containers(name: str | None = None) -> list[NodeContainer]:
    """Containers that another `down` removes meanwhile are left out."""
    ids = must(commands.list_nodes(name)).split()
    return parse_containers(ask([commands.DOCKER, "inspect", *ids]).out) if ids else []


def restore_rack(node_containers: list[NodeContainer]) -> SimulatedRack:
    labels = node_containers[0].labels
    shape = RackShape.from_label(labels[LABEL_SHAPE])
    return SimulatedRack(labels[LABEL_NAME], IPv4Network(labels[LABEL_SUBNET]), shape)


def list_racks() -> dict[str, SimulatedRack]:
    by_name: dict[str, list[NodeContainer]] = {}
    for node in list_containers():
        by_name.setdefault(node.labels[LABEL_NAME], []).append(node)
    return {name: restore_rack(node_containers) for name, node_containers in by_name.items()}


def find_rack(name: str) -> tuple[SimulatedRack, list[NodeContainer]]:
    """The rack of that name. Raises InputError with the existing names."""
    node_containers = list_containers(name) if daemon.is_running() else []
    if node_containers:
        return restore_rack(node_containers), node_containers
    names = sorted(list_racks()) if daemon.is_running() else []
    raise InputError(
        [
            Problem(
                path="--name",
                message="no such running rack",
                got=name,
                allowed=", ".join(names) or None,
                remedy="start one with `python -m sparkrack up`",
            )
        ]
    )


def list_routed_subnets() -> list[IPv4Network]:
    """What the machine already reaches in 10.87.0.0/16, racks that are still starting included."""
    routes = json.loads(ask(["ip", "-json", "-4", "route"]).out or "[]")
    destinations = [route["dst"] for route in routes if route["dst"] != "default"]
    return [IPv4Network(destination) for destination in destinations]


def list_panels() -> list[str]:
    namespaces = json.loads(ask(["ip", "-json", "netns", "list"]).out or "[]")
    return [entry["name"] for entry in namespaces if entry["name"].startswith("rack-")]
