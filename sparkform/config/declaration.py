"""The declaration as the rest of the program sees it, with the questions that it answers."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field

from sparkform.config.cluster import Cluster
from sparkform.config.effective import (
    EffectiveNode,
    is_swarm_enabled,
    resolve_mtu,
    resolve_node,
    split_fabric_pool,
)
from sparkform.config.groups import get_declared_name, name_group, split_service
from sparkform.config.monitoring import Monitoring
from sparkform.config.section import Section
from sparkform.config.service import AnyService, TrtllmService
from sparkform.config.values import ServiceName


class Declaration(Section):
    """A valid stack file. Made by `parse_config` and `load_stack`, which also check across keys."""

    cluster: Cluster
    declared_services: Mapping[ServiceName, Annotated[AnyService, Discriminator("engine")]] = Field(
        alias="services"
    )
    monitoring: Monitoring | None = None

    @cached_property
    def services(self) -> Mapping[str, AnyService]:
        """All groups that run, each a service of its own: the first of each declared service, then
        the second ones. One with a node that is away is left out."""
        away = {node.name for node in self.nodes if node.away}
        blocks = {
            name: split_service(block, self.list_declared_nodes(name))
            for name, block in self.declared_services.items()
        }
        return {
            name_group(name, number): groups[number - 1]
            for number in range(1, max(map(len, blocks.values()), default=0) + 1)
            for name, groups in blocks.items()
            if number <= len(groups) and away.isdisjoint(groups[number - 1].nodes or ())
        }

    def list_declared_nodes(self, service: str) -> tuple[str, ...]:
        """The names of a declared service's nodes, of all its groups. Raises KeyError."""
        return tuple(node.name for node in self._list_nodes(self.declared_services[service]))

    def list_groups(self, service: str) -> tuple[str, ...]:
        """The groups of a declared service, in order."""
        return tuple(group for group in self.services if get_declared_name(group) == service)

    @cached_property
    def nodes(self) -> tuple[EffectiveNode, ...]:
        """All nodes with their defaults filled in, the head first, absent ones included."""
        declared = self.cluster.nodes
        return tuple(
            resolve_node(node, position, self.cluster) for position, node in enumerate(declared)
        )

    @property
    def head(self) -> EffectiveNode:
        """The first node; it is never away."""
        return self.nodes[0]

    @property
    def active_nodes(self) -> tuple[EffectiveNode, ...]:
        """The nodes that are not away, the head first."""
        return tuple(node for node in self.nodes if not node.away)

    def get_node(self, name: str) -> EffectiveNode:
        """The node of that name. Raises KeyError if there is none."""
        return {node.name: node for node in self.nodes}[name]

    @property
    def monitoring_node(self) -> EffectiveNode:
        """The node that Prometheus runs on: the declared one or the head."""
        name = self.monitoring.node if self.monitoring else None
        return self.get_node(name) if name else self.head

    def list_service_nodes(self, service: str) -> tuple[EffectiveNode, ...]:
        """The nodes of a service by rank; the first one answers. Raises KeyError."""
        return self._list_nodes(self.services[service])

    def _list_nodes(self, block: AnyService) -> tuple[EffectiveNode, ...]:
        if block.nodes is None:
            return self.active_nodes
        return tuple(self.get_node(name) for name in block.nodes)

    def get_served_name(self, service: str) -> str:
        """The name under which the API serves the model. Raises KeyError."""
        declared = self.services[service]
        return declared.served_name or declared.model or get_declared_name(service)

    def get_all_reduce(self, service: str) -> str | None:
        """TensorRT-LLM's allreduce_strategy, None for another engine. Raises KeyError.

        NCCL on several nodes: between Sparks there is no NVLink.
        """
        declared = self.services[service]
        if not isinstance(declared, TrtllmService):
            return None
        return declared.all_reduce or (
            "NCCL" if len(self.list_service_nodes(service)) > 1 else "AUTO"
        )

    @property
    def swarm_enabled(self) -> bool:
        """Whether the nodes form a Swarm: as declared, or because a service needs it."""
        return is_swarm_enabled(self.cluster.swarm.enabled, list(self.services.values()))

    @property
    def fabric_mtu(self) -> int | Literal["inherit"]:
        """Packet size on the fabric interfaces, or inherit."""
        return resolve_mtu(self.cluster.fabric)

    @property
    def fabric_subnets(self) -> tuple[ipaddress.IPv4Network, ...]:
        """The fabric's subnets: 0 and 1 for direct and switch, two a cable for a ring."""
        return split_fabric_pool(self.cluster.fabric, len(self.cluster.nodes))

    def list_neighbours(self, service: str, node: str) -> tuple[str, ...]:
        """The other services that have a rank on a node."""
        return tuple(
            other
            for other in self.services
            if other != service
            and node in [member.name for member in self.list_service_nodes(other)]
        )

    def service_to_plain(self, service: str) -> dict[str, Any]:
        """One declared service as plain data for a component's props. Raises KeyError."""
        return self.declared_services[service].to_plain()
