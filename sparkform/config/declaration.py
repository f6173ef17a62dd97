"""The declaration as the rest of the program sees it, with the questions that it answers."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Discriminator

from sparkform.config.cluster import Cluster
from sparkform.config.effective import (
    EffectiveNode,
    is_swarm_enabled,
    resolve_mtu,
    resolve_node,
    split_fabric_pool,
)
from sparkform.config.gateway import Gateway
from sparkform.config.monitoring import Monitoring
from sparkform.config.section import Section
from sparkform.config.service import AnyService, TrtllmService
from sparkform.config.values import ServiceName


class Declaration(Section):
    """A valid stack file. Made by `parse_config` and `load_stack`, which also check across keys."""

    cluster: Cluster
    services: Mapping[ServiceName, Annotated[AnyService, Discriminator("engine")]]
    monitoring: Monitoring | None = None
    gateway: Gateway | None = None

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

    @property
    def gateway_node(self) -> EffectiveNode:
        """The node that clients connect to where there is a gateway: the declared one or the
        head."""
        name = self.gateway.node if self.gateway else None
        return self.get_node(name) if name else self.head

    def list_service_nodes(self, service: str) -> tuple[EffectiveNode, ...]:
        """The nodes of a service by rank; the first one answers. Raises KeyError."""
        names = self.services[service].nodes
        return self.active_nodes if names is None else tuple(self.get_node(name) for name in names)

    def get_served_name(self, service: str) -> str:
        """The name under which the API serves the model. Raises KeyError."""
        declared = self.services[service]
        return declared.served_name or declared.model or service

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
        """One service as plain data for a component's props. Raises KeyError."""
        return self.services[service].to_plain()


LOOPBACK = "127.0.0.1"


def bind_behind_gateway(declaration: Declaration) -> Declaration:
    """The declaration with services on loopback where a gateway on their first node is all that
    asks them; an address that the stack file names stays."""
    if declaration.gateway is None:
        return declaration
    node = declaration.gateway_node.name
    services = {
        name: block.model_copy(update={"bind": LOOPBACK})
        if "bind" not in block.model_fields_set
        and declaration.list_service_nodes(name)[0].name == node
        else block
        for name, block in declaration.services.items()
    }
    return declaration.model_copy(update={"services": services})
