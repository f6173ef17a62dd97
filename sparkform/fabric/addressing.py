"""The address of every used half of every port, out of one pool. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network

from sparkform.config import find_host_address
from sparkform.fabric.topology import HALVES, Cable, End, Half, Port


@dataclass(frozen=True)
class FabricAddress:
    """One half of one port with its address, and the corresponding half at the other ends."""

    node: str
    port: Port
    half: Half
    cable: str
    address: IPv4Interface
    peers: tuple[tuple[str, IPv4Interface], ...]


def assign_addresses(
    cables: Sequence[Cable], subnets: Sequence[IPv4Network], indexes: Mapping[str, int]
) -> tuple[FabricAddress, ...]:
    """One entry for each used half of each port; `indexes` is each node's `index`.

    Each half has a subnet of its own (NVIDIA, multi-sparks-through-switch: twins in one subnet
    break NCCL).
    """

    def get_address(end: End, subnet: int) -> IPv4Interface:
        return _get_host_address(subnets[subnet], indexes[end.node])

    return tuple(
        FabricAddress(
            node=end.node,
            port=end.port,
            half=half,
            cable=cable.name,
            address=get_address(end, cable.subnet + offset),
            peers=tuple(
                (peer.node, get_address(peer, cable.subnet + offset))
                for peer in _list_peers(end, cable, cables)
            ),
        )
        for cable in cables
        for end in cable.ends
        for offset, half in enumerate(HALVES)
    )


def _get_host_address(subnet: IPv4Network, index: int) -> IPv4Interface:
    """Host part 10 + index. A pool without room for it is refused before."""
    return IPv4Interface(
        (find_host_address(subnet, index) or subnet.network_address, subnet.prefixlen)
    )


def _list_peers(end: End, cable: Cable, cables: Sequence[Cable]) -> tuple[End, ...]:
    """The ends that share the cable's subnet: its far end, or everybody else on the switch."""
    sharing = (
        peer for candidate in cables if candidate.subnet == cable.subnet for peer in candidate.ends
    )
    return tuple(peer for peer in sharing if peer != end)


def find_overlaps(pool: IPv4Network, networks: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """The networks of a node's own routes and addresses that the pool would cut into."""
    return tuple(network for network in networks if network.prefixlen and pool.overlaps(network))
