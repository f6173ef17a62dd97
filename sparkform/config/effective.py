"""What follows from a declaration once its defaults are filled in. No other module derives it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sparkform.config.cluster import Cluster, Fabric, Node
from sparkform.config.host import Host
from sparkform.config.service import Service
from sparkform.config.values import JUMBO_MTU

SUBNETS = 8
FIRST_HOST = 10
"""The last part of the address of index 0, as in NVIDIA's own connect-two-sparks page."""


@dataclass(frozen=True, kw_only=True)
class EffectiveNode:
    """One Spark with all defaults filled in.

    `position` counts from 0 in the stack file, `index` sets its fabric addresses. None means that
    nothing was declared and the node's own facts decide.
    """

    name: str
    position: int
    index: int
    host: str
    port: int
    user: str
    host_key: str | None
    management_address: str | None
    qsfp_port: Literal[0, 1, "auto"]
    interfaces: tuple[str, ...] | None
    memory_gib: float | None
    model_directory: str
    host_settings: Host
    away: bool

    @property
    def is_head(self) -> bool:
        """Whether it is the first of the list, which the Swarm and the services start from."""
        return self.position == 0


def resolve_index(node: Node, position: int) -> int:
    """The declared index, or the node's position in the list."""
    return position if node.index is None else node.index


def resolve_node(node: Node, position: int, cluster: Cluster) -> EffectiveNode:
    """`node` with the cluster's defaults."""
    return EffectiveNode(
        name=node.name,
        position=position,
        index=resolve_index(node, position),
        host=node.host,
        port=node.port,
        user=node.user or cluster.user,
        host_key=node.host_key,
        management_address=node.management_address,
        qsfp_port=node.qsfp_port,
        interfaces=node.interfaces,
        memory_gib=node.memory_gib,
        model_directory=node.model_directory or cluster.model_directory,
        host_settings=resolve_host_settings(node.host_settings, cluster.host),
        away=node.away,
    )


def resolve_host_settings(own: Host | None, shared: Host) -> Host:
    """Key by key the node's own value, else the cluster's."""
    declared = own.model_dump(exclude_none=True) if own else {}
    return shared.model_copy(update={key: getattr(own, key) for key in declared})


def resolve_mtu(fabric: Fabric) -> int | Literal["inherit"]:
    """The declared MTU, or 9000 on direct and ring and the port's own elsewhere."""
    if fabric.mtu is not None:
        return fabric.mtu
    return JUMBO_MTU if fabric.topology in ("direct", "ring") else "inherit"


def split_fabric_pool(fabric: Fabric, nodes: int) -> tuple[ipaddress.IPv4Network, ...]:
    """The pool in equal subnets: 0 and 1 for direct and switch, two a cable for a ring.

    Eight serve all but rings of more than four nodes, which take sixteen.
    """
    is_large_ring = fabric.topology == "ring" and 2 * nodes > SUBNETS
    return tuple(
        ipaddress.IPv4Network(fabric.pool).subnets(prefixlen_diff=4 if is_large_ring else 3)
    )


def find_host_address(subnet: ipaddress.IPv4Network, index: int) -> ipaddress.IPv4Address | None:
    """The address of the node with `index` in a subnet, or None if the subnet has no room."""
    address = subnet.network_address + FIRST_HOST + index
    return address if address in subnet and address != subnet.broadcast_address else None


def is_swarm_enabled(declared: bool | None, services: Sequence[Service]) -> bool:
    """The declared value, or whether some service runs in Swarm."""
    if declared is not None:
        return declared
    return any(service.runtime == "swarm" for service in services)
