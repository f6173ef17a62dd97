from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from sparkform.fabric.addressing import FabricAddress, assign_addresses, find_overlaps
from sparkform.fabric.topology import Port, Topology, build_cables

POOL = IPv4Network("192.168.100.0/22")


def assign(
    topology: Topology, count: int, port: Port = 0, pool: IPv4Network = POOL
) -> dict[tuple[str, int, str], FabricAddress]:
    nodes = [f"spark-{number + 1}" for number in range(count)]
    rack_cables = build_cables(topology, nodes, dict.fromkeys(nodes, port))
    is_large_ring = topology == "ring" and count > 4
    subnets = tuple(pool.subnets(prefixlen_diff=4 if is_large_ring else 3))
    addresses = assign_addresses(
        rack_cables, subnets, {node: index for index, node in enumerate(nodes)}
    )
    return {(entry.node, entry.port, entry.half): entry for entry in addresses}


def test_two_sparks_on_one_cable_get_one_subnet_a_half() -> None:
    entries = assign("direct", 2)
    assert {key: str(entry.address) for key, entry in entries.items()} == {
        ("spark-1", 0, "A"): "192.168.100.10/25",
        ("spark-1", 0, "B"): "192.168.100.138/25",
        ("spark-2", 0, "A"): "192.168.100.11/25",
        ("spark-2", 0, "B"): "192.168.100.139/25",
    }


def test_a_ring_gives_every_node_four_addresses_and_follows_nvidias_cabling() -> None:
    entries = assign("ring", 3)
    assert len(entries) == 12
    assert [entry.cable for key, entry in entries.items() if key[2] == "A"] == [
        "spark-1:0-spark-2:1",
        "spark-1:0-spark-2:1",
        "spark-2:0-spark-3:1",
        "spark-2:0-spark-3:1",
        "spark-3:0-spark-1:1",
        "spark-3:0-spark-1:1",
    ]


def test_a_third_spark_behind_the_switch_moves_nothing() -> None:
    two, three = assign("switch", 2), assign("switch", 3)
    assert {key: entry.address for key, entry in two.items()}.items() <= {
        key: entry.address for key, entry in three.items()
    }.items()


def test_direct_and_switch_share_their_addresses() -> None:
    direct, switch = assign("direct", 2), assign("switch", 2)
    assert {key: entry.address for key, entry in direct.items()} == {
        key: entry.address for key, entry in switch.items()
    }


def test_one_node_needs_no_fabric() -> None:
    assert assign("none", 1) == {}


pools = st.integers(16, 24).flatmap(
    lambda prefix: st.integers(0, 2**32 - 1).map(
        lambda number: IPv4Network((number >> (32 - prefix) << (32 - prefix), prefix))
    )
)
shapes = st.one_of(
    st.just(("direct", 2)),
    st.tuples(st.just("ring"), st.integers(3, 8)),
    st.tuples(st.just("switch"), st.integers(2, 8)),
)


@given(pool=pools, shape=shapes)
def test_no_node_has_two_interfaces_in_one_subnet_and_no_address_is_given_twice(
    pool: IPv4Network, shape: tuple[Topology, int]
) -> None:
    entries = assign(*shape, pool=pool).values()
    assert max(Counter((entry.node, entry.address.network) for entry in entries).values()) == 1
    assert max(Counter(entry.address.ip for entry in entries).values()) == 1
    assert all(entry.address.network.subnet_of(pool) for entry in entries)


@given(shape=shapes)
def test_peers_see_each_other_on_the_same_half_and_subnet(shape: tuple[Topology, int]) -> None:
    entries = assign(*shape)
    by_address = {(entry.node, entry.address): entry for entry in entries.values()}
    for entry in entries.values():
        for node, address in entry.peers:
            peer = by_address[node, address]
            assert peer.half == entry.half
            assert peer.address.network == entry.address.network
            assert (entry.node, entry.address) in peer.peers


def test_an_overlap_is_named_and_the_default_route_is_none() -> None:
    home, other, default = map(IPv4Network, ("192.168.101.0/24", "10.0.0.0/8", "0.0.0.0/0"))
    assert find_overlaps(POOL, [home, other, default]) == (home,)
