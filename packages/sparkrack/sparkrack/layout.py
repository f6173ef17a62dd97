"""Names, addresses and documents of one rack, decided by its name, subnet and shape. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from sparkform.errors import InputError, Problem
from sparkrack import cabling, shims
from sparkrack.ports import MANAGEMENT_DEVICE, Port, list_fabric_ports
from sparkrack.shape import RackShape

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
class SimulatedNode:
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
class SimulatedRack:
    name: str
    subnet: IPv4Network
    shape: RackShape

    @property
    def nodes(self) -> list[SimulatedNode]:
        return [
            SimulatedNode(self.name, index, self.subnet) for index in range(1, self.shape.nodes + 1)
        ]

    @property
    def panel(self) -> str:
        """The network namespace that holds the cables."""
        return get_panel_name(self.name)

    @property
    def host_link(self) -> str:
        """The host's own leg in the management network; 11 characters at most."""
        return f"rack87-{self.subnet.network_address.packed[2]}"

    @property
    def host_address(self) -> IPv4Address:
        return self.subnet[1]


def find_node(rack: SimulatedRack, hostname: str) -> SimulatedNode:
    """Raises InputError with the rack's node names."""
    for node in rack.nodes:
        if node.hostname == hostname:
            return node
    raise InputError(
        [
            Problem(
                path="NODE",
                message=f"unknown node of rack {rack.name}",
                got=hostname,
                allowed=", ".join(node.hostname for node in rack.nodes),
            )
        ]
    )


def get_panel_name(rack: str) -> str:
    return f"rack-{rack}"


def choose_subnet(name: str, used_subnets: Collection[IPv4Network]) -> IPv4Network:
    """The same name gets the same subnet as long as it is free.

    Raises InputError when nothing of 10.87.0.0/16 is free.
    """
    start = hashlib.sha256(name.encode()).digest()[0]
    for subnet in SUBNETS[start:] + SUBNETS[:start]:
        if not any(subnet.overlaps(used_subnet) for used_subnet in used_subnets):
            return subnet
    raise InputError(
        [
            Problem(
                path="10.87.0.0/16",
                message="has no free /24 for the rack's management network",
                because="the machine's routes and other racks use all of it",
                remedy="remove other racks",
            )
        ]
    )


def _describe_management_port(node: SimulatedNode) -> dict[str, object]:
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


def _describe_fabric_port(node: SimulatedNode, port: Port, shape: RackShape) -> dict[str, object]:
    wired = shape.build_segments()
    segment = cabling.find_segment(wired, port)
    return {
        "device": port.device,
        "mac": shims.build_mac_addresses(node.index)[port.roce_device],
        "panel": port.panel_end,
        "segment": segment.name if segment else None,
        "far": [far_port.panel_end for far_port in cabling.find_far_ends(wired, port)],
        "state": "up",
        "rate": shape.rate,
        "mtu": None,
    }


def build_ports_document(node: SimulatedNode, shape: RackShape) -> list[dict[str, object]]:
    """What the node's own rack/ports.py reads: /etc/rack/ports.json."""
    fabric = [_describe_fabric_port(node, port, shape) for port in list_fabric_ports(node.index)]
    return [_describe_management_port(node), *fabric]


def build_labels(rack: SimulatedRack, node: SimulatedNode, host_key: str) -> dict[str, str]:
    """The complete state of a rack; there is no state file."""
    return {
        LABEL_NAME: rack.name,
        LABEL_NODE: node.hostname,
        LABEL_SHAPE: rack.shape.to_label(),
        LABEL_SUBNET: str(rack.subnet),
        LABEL_HOST_KEY: host_key,
    }
