"""Checks of the fabric against the nodes: cables, addresses, pools."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from sparkform.config.draft import Draft
from sparkform.config.effective import find_host_address, split_fabric_pool
from sparkform.errors import Problem

NODES_OF = {"direct": (2, 2), "ring": (3, 8)}
"""How many nodes a topology takes at least and at most; a switch and no fabric take any number."""

WHY_COUNT = {
    "direct": "one cable joins two Sparks",
    "ring": "each Spark is cabled to the next and to the one before",
}

INTERFACES_OF = {"direct": 2, "switch": 2, "ring": 4}
"""How many interfaces a node uses: a port is two halves, a ring uses both ports."""


def check_node_count(draft: Draft) -> Iterator[Problem]:
    """Direct joins exactly two nodes, a ring three to eight."""
    topology = draft.fabric.topology if draft.fabric else "none"
    least, most = NODES_OF.get(topology, (0, len(draft.nodes)))
    # An empty or overlong list is a problem of its own.
    if draft.nodes and not least <= len(draft.nodes) <= most:
        yield Problem(
            path="cluster.fabric.topology",
            message=f"{topology} needs {f'{least} to {most}' if most > least else least} nodes",
            got=f"{len(draft.nodes)}",
            allowed="direct with 2 nodes, ring with 3 to 8, switch or none with any number",
            because=WHY_COUNT[topology],
        )


def check_ring_indexes(draft: Draft) -> Iterator[Problem]:
    """On a ring the index determines which cable leads where."""
    if draft.fabric is None or draft.fabric.topology != "ring":
        return
    last = len(draft.nodes) - 1
    if last < 2:  # check_node_count reports it
        return
    for position, index in draft.enumerate_indexes():
        if index > last:
            yield Problem(
                path=f"cluster.nodes[{position}].index",
                message="is too large for a ring",
                got=str(index),
                allowed=f"0 to {last}",
                because=f"port 0 of each index leads to the next one, and of {last} to 0",
            )


def check_ring_ports(draft: Draft) -> Iterator[Problem]:
    """On a ring there is no choice of a port."""
    if draft.fabric is None or draft.fabric.topology != "ring":
        return
    for position, node in draft.enumerate_readable_nodes():
        if node.qsfp_port != "auto":
            yield Problem(
                path=f"cluster.nodes[{position}].qsfpPort",
                message="chooses one port on a ring",
                got=str(node.qsfp_port),
                allowed="auto",
                because="a ring uses both ports of each node",
            )


def check_interface_counts(draft: Draft) -> Iterator[Problem]:
    """Two halves for each used port, each named once."""
    expected_count = INTERFACES_OF.get(draft.fabric.topology) if draft.fabric else None
    for position, node in draft.enumerate_readable_nodes():
        names = node.interfaces or ()
        path = f"cluster.nodes[{position}].interfaces"
        if len(set(names)) != len(names):
            yield Problem(path=path, message="repeats an interface", got=", ".join(names))
        elif names and expected_count is not None and len(names) != expected_count:
            yield Problem(
                path=path,
                message="names the wrong number of interfaces",
                got=str(len(names)),
                allowed=f"{expected_count}",
                because="each QSFP port is two interfaces, and a ring uses both ports",
            )


def check_pool_size(draft: Draft) -> Iterator[Problem]:
    """Each subnet must have an address for each index."""
    if draft.fabric is None or draft.fabric.topology == "none":
        return
    subnets = split_fabric_pool(draft.fabric, len(draft.nodes))
    subnet = subnets[0]
    largest = max((index for _, index in draft.enumerate_indexes()), default=0)
    if find_host_address(subnet, largest) is None:
        yield Problem(
            path="cluster.fabric.pool",
            message=f"has no room for index {largest}",
            got=draft.fabric.pool,
            allowed="a /24 or larger, which has room for all",
            because=f"its {len(subnets)} subnets are /{subnet.prefixlen}, and addresses start at "
            ".10 in each",
        )


def check_pool_overlap(draft: Draft) -> Iterator[Problem]:
    """The fabric's addresses must not be Swarm's."""
    if draft.fabric is None or draft.swarm is None:
        return
    fabric = ipaddress.IPv4Network(draft.fabric.pool)
    if fabric.overlaps(ipaddress.IPv4Network(draft.swarm.address_pool)):
        yield Problem(
            path="cluster.swarm.addressPool",
            message="overlaps cluster.fabric.pool",
            got=f"{draft.swarm.address_pool} and {draft.fabric.pool}",
            because="Swarm would route the fabric's addresses into its own networks",
        )


def check_management_addresses(draft: Draft) -> Iterator[Problem]:
    """A node is reached by an address that the fabric steps do not change."""
    if draft.fabric is None or draft.fabric.topology == "none":
        return
    pool = ipaddress.IPv4Network(draft.fabric.pool)
    for position, node in draft.enumerate_readable_nodes():
        for key, value in (("host", node.host), ("managementAddress", node.management_address)):
            if value is not None and _is_in(value, pool):
                yield Problem(
                    path=f"cluster.nodes[{position}].{key}",
                    message="lies in cluster.fabric.pool",
                    got=value,
                    allowed=f"an address outside {pool}",
                    because="setting up the fabric would cut the connection that does it",
                )


def _is_in(host: str, pool: ipaddress.IPv4Network) -> bool:
    try:
        return ipaddress.ip_address(host) in pool
    except ValueError:
        return False


def check_control_traffic(draft: Draft) -> Iterator[Problem]:
    """Only where all nodes share a fabric network can they find each other over it."""
    fabric = draft.fabric
    if fabric and fabric.control_traffic == "fabric" and fabric.topology in ("ring", "none"):
        yield Problem(
            path="cluster.fabric.controlTraffic",
            message=f"fabric needs a network that all nodes share, and {fabric.topology} has none",
            got="fabric",
            allowed="management, or fabric with direct and switch",
        )


CHECKS = (
    check_node_count,
    check_ring_indexes,
    check_ring_ports,
    check_control_traffic,
    check_interface_counts,
    check_pool_size,
    check_pool_overlap,
    check_management_addresses,
)
