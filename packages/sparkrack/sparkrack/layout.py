"""Names, addresses and documents of one rack, decided by its name, subnet and shape. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from sparkform.errors import InputError, Problem
from sparkrack import cabling, shims
from sparkrack.ports import MANAGEMENT_DEVICE, Port, fabric_ports
from sparkrack.shape import Shape

SUBNETS = [IPv4Network(f"10.87.{third}.0/24") for third in range(256)]
FIRST_HOST_PART = 11
MANAGEMENT_SEGMENT = "mgmt"
HOST_END = "host"

LABEL_NAME = "sparkform.rack.name"
LABEL_NODE = "sparkform.rack.node"
LABEL_SHAPE = "sparkform.rack.shape"
LABEL_SUBNET = "sparkform.rack.subnet"
LABEL_HOST_KEY = "sparkform.rack.host-key"


@dataclass(frozen=True)
class Node:
    """One simulated Spark. `index` counts from 1."""

    rack: str
    index: int
    subnet: IPv4Network

    @property
    def hostname(self) -> str:
        return f"spark-{self.index}"

    @property
    def container(self) -> str:
        return f"{self.rack}-{self.hostname}"

    @property
    def docker_volume(self) -> str:
        return f"{self.container}-docker"

    @property
    def address(self) -> IPv4Address:
        return self.subnet[FIRST_HOST_PART + self.index - 1]

    @property
    def management_end(self) -> str:
        return f"n{self.index}mgmt"

    @property
    def management_mac(self) -> str:
        """Locally administered, and unique over all racks of a machine."""
        return f"02:57:00:00:{self.subnet.network_address.packed[2]:02x}:{self.index:02x}"


@dataclass(frozen=True)
class Rack:
    name: str
    subnet: IPv4Network
    shape: Shape

    @property
    def nodes(self) -> list[Node]:
        return [Node(self.name, index, self.subnet) for index in range(1, self.shape.nodes + 1)]

    @property
    def panel(self) -> str:
        """The network namespace that holds the cables."""
        return panel_name(self.name)

    @property
    def host_link(self) -> str:
        """The host's own leg in the management network; 11 characters at most."""
        return f"rack87-{self.subnet.network_address.packed[2]}"

    @property
    def host_address(self) -> IPv4Address:
        return self.subnet[1]


def node_named(rack: Rack, hostname: str) -> Node:
    """Raises InputError with the names that there are."""
    for node in rack.nodes:
        if node.hostname == hostname:
            return node
    raise InputError(
        [
            Problem(
                path="NODE",
                message=f"is no node of the rack {rack.name}",
                got=hostname,
                allowed=", ".join(node.hostname for node in rack.nodes),
            )
        ]
    )


def panel_name(rack: str) -> str:
    return f"rack-{rack}"


def choose_subnet(name: str, taken: Collection[IPv4Network]) -> IPv4Network:
    """The same name gets the same subnet as long as it is free.

    Raises InputError when nothing of 10.87.0.0/16 is free.
    """
    start = hashlib.sha256(name.encode()).digest()[0]
    for subnet in SUBNETS[start:] + SUBNETS[:start]:
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise InputError(
        [
            Problem(
                path="10.87.0.0/16",
                message="has no free /24 for the rack's management network",
                because="the machine's routes and other racks use all of it",
                remedy="take other racks down",
            )
        ]
    )


def _management_port(node: Node) -> dict[str, object]:
    return {
        "device": MANAGEMENT_DEVICE,
        "mac": node.management_mac,
        "panel": node.management_end,
        "segment": MANAGEMENT_SEGMENT,
        "far": [],
        "state": "up",
        "rate": None,
        "mtu": None,
    }


def _fabric_port(node: Node, port: Port, shape: Shape) -> dict[str, object]:
    wired = shape.segments()
    segment = cabling.segment_of(wired, port)
    return {
        "device": port.device,
        "mac": shims.mac_addresses(node.index)[port.roce_device],
        "panel": port.panel_end,
        "segment": segment.name if segment else None,
        "far": [other.panel_end for other in cabling.far_ends(wired, port)],
        "state": "up",
        "rate": shape.rate,
        "mtu": None,
    }


def ports_document(node: Node, shape: Shape) -> list[dict[str, object]]:
    """What the node's own ports program reads: /etc/rack/ports.json."""
    fabric = [_fabric_port(node, port, shape) for port in fabric_ports(node.index)]
    return [_management_port(node), *fabric]


def labels(rack: Rack, node: Node, host_key: str) -> dict[str, str]:
    """All that is known of a rack; there is no state file."""
    return {
        LABEL_NAME: rack.name,
        LABEL_NODE: node.hostname,
        LABEL_SHAPE: rack.shape.to_label(),
        LABEL_SUBNET: str(rack.subnet),
        LABEL_HOST_KEY: host_key,
    }
