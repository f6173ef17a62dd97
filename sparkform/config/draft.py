"""A declaration of which parts may be unreadable, so that one run can check all the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from sparkform.config.cluster import Fabric, Node, Swarm
from sparkform.config.effective import resolve_index
from sparkform.config.formatting import Location
from sparkform.config.groups import split_service
from sparkform.config.monitoring import Monitoring
from sparkform.config.problems import translate_errors
from sparkform.config.section import Section
from sparkform.config.service import Service
from sparkform.errors import Problem

Located = tuple[Location, Problem]
Block = TypeVar("Block", bound=Section)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The parts that checks across keys look at; None stands for one that could not be read.

    `names` holds the name of each node, also of one that could not be read, None if it has none.
    """

    nodes: tuple[Node | None, ...]
    names: tuple[str | None, ...]
    fabric: Fabric | None
    swarm: Swarm | None
    services: Mapping[str, Service | None]
    monitoring: Monitoring | None = None

    def enumerate_readable_nodes(self) -> Iterator[tuple[int, Node]]:
        """The nodes that could be read, with their positions."""
        return ((position, node) for position, node in enumerate(self.nodes) if node is not None)

    def list_readable_services(self) -> Iterator[tuple[str, Service]]:
        """The services that could be read, with their names."""
        return ((name, block) for name, block in self.services.items() if block is not None)

    def list_groups(self) -> Iterator[tuple[str, Service]]:
        """The same, each as often as it has replicas, with the nodes of one."""
        return (
            (name, group)
            for name, block in self.list_readable_services()
            for group in split_service(block, self.list_members(block))
        )

    def enumerate_indexes(self) -> Iterator[tuple[int, int]]:
        """Position and effective index of each node that could be read."""
        return (
            (position, resolve_index(node, position))
            for position, node in self.enumerate_readable_nodes()
        )

    def list_members(self, service: Service) -> tuple[str, ...]:
        """The names of a service's nodes, as far as they are known."""
        if service.nodes is not None:
            return service.nodes
        present = (node.name for _, node in self.enumerate_readable_nodes() if not node.away)
        return tuple(present)


def build_draft(
    cluster: Mapping[str, object],
    services: Mapping[str, Service | None],
    monitoring: Monitoring | None = None,
) -> Draft:
    """The draft of a cluster block, each part read by itself."""
    listed = cluster.get("nodes")
    nodes = listed if isinstance(listed, list) else []
    return Draft(
        nodes=tuple(read_section(Node, node, ())[0] for node in nodes),
        names=tuple(_get_name(node) for node in nodes),
        fabric=read_section(Fabric, cluster.get("fabric", {"topology": "none"}), ())[0],
        swarm=read_section(Swarm, cluster.get("swarm", {}), ())[0],
        services=services,
        monitoring=monitoring,
    )


def _get_name(node: object) -> str | None:
    name = node.get("name") if isinstance(node, dict) else None
    return name if isinstance(name, str) else None


def read_section(
    model: type[Block], value: object, location: Location
) -> tuple[Block | None, list[Located]]:
    """`value` as a block, or None and why not."""
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        return None, list(translate_errors(error, model, location))
