"""A declaration of which parts may be unreadable, so that one run can check all the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from sparkform.config.cluster import Fabric, Node, Swarm
from sparkform.config.effective import effective_index
from sparkform.config.paths import Location
from sparkform.config.problems import located_problems
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

    def readable_nodes(self) -> Iterator[tuple[int, Node]]:
        """The nodes that could be read, with their positions."""
        return ((at, node) for at, node in enumerate(self.nodes) if node is not None)

    def readable_services(self) -> Iterator[tuple[str, Service]]:
        """The services that could be read, with their names."""
        return ((name, block) for name, block in self.services.items() if block is not None)

    def indexes(self) -> Iterator[tuple[int, int]]:
        """Position and effective index of each node that could be read."""
        return ((at, effective_index(node, at)) for at, node in self.readable_nodes())

    def members(self, service: Service) -> tuple[str, ...]:
        """The names of a service's nodes, as far as they can be told."""
        if service.nodes is not None:
            return service.nodes
        here = (node.name for _, node in self.readable_nodes() if not node.away)
        return tuple(here)


def sketch(cluster: Mapping[str, object], services: Mapping[str, Service | None]) -> Draft:
    """The draft of a cluster block, each part read by itself."""
    listed = cluster.get("nodes")
    nodes = listed if isinstance(listed, list) else []
    return Draft(
        nodes=tuple(read_section(Node, node, ())[0] for node in nodes),
        names=tuple(_name_of(node) for node in nodes),
        fabric=read_section(Fabric, cluster.get("fabric", {"topology": "none"}), ())[0],
        swarm=read_section(Swarm, cluster.get("swarm", {}), ())[0],
        services=services,
    )


def _name_of(node: object) -> str | None:
    name = node.get("name") if isinstance(node, dict) else None
    return name if isinstance(name, str) else None


def read_section(
    model: type[Block], value: object, at: Location
) -> tuple[Block | None, list[Located]]:
    """`value` as a block, or None and why not."""
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        return None, list(located_problems(error, model, at))
