"""Which racks there are, read from container labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Network

from sparkform.errors import InputError, Problem
from sparkrack import commands, daemon
from sparkrack.host import ask, must
from sparkrack.layout import LABEL_HOST_KEY, LABEL_NAME, LABEL_NODE, LABEL_SHAPE, LABEL_SUBNET, Rack
from sparkrack.shape import Shape


@dataclass(frozen=True)
class Found:
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


def parse(inspected: str) -> list[Found]:
    """From `docker inspect`, in the order of the host names."""
    found = [
        Found(entry["Name"].lstrip("/"), entry["State"]["Status"], entry["Config"]["Labels"])
        for entry in json.loads(inspected)
    ]
    return sorted(found, key=lambda node: (len(node.hostname), node.hostname))


def containers(name: str | None = None) -> list[Found]:
    """One that another `down` removes while we look is left out: Docker prints the others."""
    ids = must(commands.list_nodes(name)).split()
    return parse(ask([commands.DOCKER, "inspect", *ids]).out) if ids else []


def rack_of(found: list[Found]) -> Rack:
    labels = found[0].labels
    shape = Shape.from_label(labels[LABEL_SHAPE])
    return Rack(labels[LABEL_NAME], IPv4Network(labels[LABEL_SUBNET]), shape)


def racks() -> dict[str, Rack]:
    by_name: dict[str, list[Found]] = {}
    for node in containers():
        by_name.setdefault(node.labels[LABEL_NAME], []).append(node)
    return {name: rack_of(found) for name, found in by_name.items()}


def need(name: str) -> tuple[Rack, list[Found]]:
    """The rack of that name. Raises InputError with the names that there are."""
    found = containers(name) if daemon.is_running() else []
    if found:
        return rack_of(found), found
    names = sorted(racks()) if daemon.is_running() else []
    raise InputError(
        [
            Problem(
                path="--name",
                message="is no rack that is up",
                got=name,
                allowed=", ".join(names) or None,
                remedy="`python -m sparkrack up` makes one",
            )
        ]
    )


def routed_subnets() -> list[IPv4Network]:
    """What the machine already reaches in 10.87.0.0/16, racks that are still starting included."""
    routes = json.loads(ask(["ip", "-json", "-4", "route"]).out or "[]")
    destinations = [route["dst"] for route in routes if route["dst"] != "default"]
    return [IPv4Network(destination) for destination in destinations]


def panels() -> list[str]:
    namespaces = json.loads(ask(["ip", "-json", "netns", "list"]).out or "[]")
    return [entry["name"] for entry in namespaces if entry["name"].startswith("rack-")]
