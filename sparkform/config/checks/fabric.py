"""Checks of the fabric against the nodes: cables, addresses, pools."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from sparkform.config.draft import Draft
from sparkform.config.effective import fabric_subnets, host_in
from sparkform.errors import Problem

NODES_OF = {"direct": 2, "ring": 3}
"""How many nodes a topology takes; a switch and no fabric take any number."""

WHY_COUNT = {
    "direct": "one cable joins two Sparks",
    "ring": "each Spark has two ports, and NCCL's paths on a ring of four or more are unproven",
}

INTERFACES_OF = {"direct": 2, "switch": 2, "ring": 4}
"""How many interfaces a node uses: a port is two halves, a ring uses both ports."""


def node_count(draft: Draft) -> Iterator[Problem]:
    """Direct joins exactly two nodes, a ring exactly three."""
    topology = draft.fabric.topology if draft.fabric else "none"
    wanted = NODES_OF.get(topology)
    # An empty or overlong list is a problem of its own.
    if wanted is not None and draft.nodes and len(draft.nodes) != wanted:
        yield Problem(
            path="cluster.fabric.topology",
            what=f"{topology} needs exactly {wanted} nodes",
            got=f"{len(draft.nodes)}",
            allowed="direct with 2 nodes, ring with 3, switch or none with any number",
            because=WHY_COUNT[topology],
        )


def ring_indexes(draft: Draft) -> Iterator[Problem]:
    """On a ring the index says which cable is which."""
    if draft.fabric is None or draft.fabric.topology != "ring":
        return
    if len(draft.nodes) != NODES_OF["ring"]:  # node_count says so
        return
    for at, index in draft.indexes():
        if index >= NODES_OF["ring"]:
            yield Problem(
                path=f"cluster.nodes[{at}].index",
                what="is too large for a ring",
                got=str(index),
                allowed="0, 1 and 2",
                because="port 0 of index 0 leads to index 1, of 1 to 2, and of 2 to 0",
            )


def ring_uses_both_ports(draft: Draft) -> Iterator[Problem]:
    """On a ring there is no choice of a port."""
    if draft.fabric is None or draft.fabric.topology != "ring":
        return
    for at, node in draft.readable_nodes():
        if node.qsfp_port != "auto":
            yield Problem(
                path=f"cluster.nodes[{at}].qsfpPort",
                what="chooses one port on a ring",
                got=str(node.qsfp_port),
                allowed="auto",
                because="a ring uses both ports of each node",
            )


def interface_counts(draft: Draft) -> Iterator[Problem]:
    """Two halves for each used port, each named once."""
    wanted = INTERFACES_OF.get(draft.fabric.topology) if draft.fabric else None
    for at, node in draft.readable_nodes():
        names = node.interfaces or ()
        path = f"cluster.nodes[{at}].interfaces"
        if len(set(names)) != len(names):
            yield Problem(path=path, what="names an interface twice", got=", ".join(names))
        elif names and wanted is not None and len(names) != wanted:
            yield Problem(
                path=path,
                what="names the wrong number of interfaces",
                got=str(len(names)),
                allowed=f"{wanted}",
                because="each QSFP port is two interfaces, and a ring uses both ports",
            )


def pool_has_room(draft: Draft) -> Iterator[Problem]:
    """Each of the 8 subnets must have an address for each index."""
    if draft.fabric is None or draft.fabric.topology == "none":
        return
    subnet = fabric_subnets(draft.fabric)[0]
    largest = max((index for _, index in draft.indexes()), default=0)
    if host_in(subnet, largest) is None:
        yield Problem(
            path="cluster.fabric.pool",
            what=f"has no room for index {largest}",
            got=draft.fabric.pool,
            allowed="a /24 or larger, which has room for all",
            because=f"its 8 subnets are /{subnet.prefixlen}, and addresses start at .10 in each",
        )


def pools_are_apart(draft: Draft) -> Iterator[Problem]:
    """The fabric's addresses must not be Swarm's."""
    if draft.fabric is None or draft.swarm is None:
        return
    fabric = ipaddress.IPv4Network(draft.fabric.pool)
    if fabric.overlaps(ipaddress.IPv4Network(draft.swarm.address_pool)):
        yield Problem(
            path="cluster.swarm.addressPool",
            what="overlaps cluster.fabric.pool",
            got=f"{draft.swarm.address_pool} and {draft.fabric.pool}",
            because="Swarm would route the fabric's addresses into its own networks",
        )


def management_is_outside_the_fabric(draft: Draft) -> Iterator[Problem]:
    """A node is reached by an address that the fabric steps do not change."""
    if draft.fabric is None or draft.fabric.topology == "none":
        return
    pool = ipaddress.IPv4Network(draft.fabric.pool)
    for at, node in draft.readable_nodes():
        for key, value in (("host", node.host), ("managementAddress", node.management_address)):
            if value is not None and _is_in(value, pool):
                yield Problem(
                    path=f"cluster.nodes[{at}].{key}",
                    what="lies in cluster.fabric.pool",
                    got=value,
                    allowed=f"an address outside {pool}",
                    because="setting up the fabric would cut the connection that does it",
                )


def _is_in(host: str, pool: ipaddress.IPv4Network) -> bool:
    try:
        return ipaddress.ip_address(host) in pool
    except ValueError:
        return False


CHECKS = (
    node_count,
    ring_indexes,
    ring_uses_both_ports,
    interface_counts,
    pool_has_room,
    pools_are_apart,
    management_is_outside_the_fabric,
)
