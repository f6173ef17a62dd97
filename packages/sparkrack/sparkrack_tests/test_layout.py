from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.errors import InputError
from sparkrack import commands, shims
from sparkrack.layout import (
    SUBNETS,
    SimulatedNode,
    SimulatedRack,
    build_ports_document,
    choose_subnet,
)
from sparkrack.netplan import build_management_file
from sparkrack.shape import RackFabric, RackShape, Renderer, check_name, check_shape

SUBNET = IPv4Network("10.87.7.0/24")
NAMES = st.from_regex(r"\A[a-z][a-z0-9-]{0,15}\Z")


def build_rack(fabric: RackFabric, nodes: int, name: str = "rack") -> SimulatedRack:
    return SimulatedRack(name, SUBNET, RackShape(nodes, fabric))


@given(NAMES, st.sampled_from(SUBNETS))
def test_every_interface_name_fits_the_kernel(name: str, subnet: IPv4Network) -> None:
    rack = SimulatedRack(name, subnet, RackShape(8, RackFabric.SWITCH))
    ends = [port["panel"] for node in rack.nodes for port in build_ports_document(node, rack.shape)]
    segments = [segment.name for segment in rack.shape.build_segments()]
    assert all(len(str(link)) <= 15 for link in [rack.host_link, *ends, *segments])


@given(NAMES)
def test_the_same_name_gets_the_same_subnet_while_it_is_free(name: str) -> None:
    first = choose_subnet(name, [])
    assert choose_subnet(name, []) == first
    assert choose_subnet(name, [first]) != first


def test_a_full_machine_is_named() -> None:
    with pytest.raises(InputError, match="has no free /24"):
        choose_subnet("rack", [IPv4Network("10.0.0.0/8")])


def test_both_ends_of_a_cable_know_each_other() -> None:
    rack = build_rack(RackFabric.DIRECT, 2)
    first, second = (build_ports_document(node, rack.shape) for node in rack.nodes)
    assert first[1]["far"] == [second[1]["panel"]] == ["n2p0a"]
    assert first[1]["segment"] == second[1]["segment"] == "cable0"
    assert first[3]["segment"] is None


def test_a_port_has_the_address_that_its_roce_device_tells() -> None:
    rack = build_rack(RackFabric.DIRECT, 2)
    document = build_ports_document(rack.nodes[1], rack.shape)
    macs = {port["device"]: port["mac"] for port in document}
    assert macs["enP2p1s0f1np1"] == shims.build_mac_addresses(2)["roceP2p1s0f1"]


@pytest.mark.parametrize(
    ("renderer", "file", "renderer_name"),
    [
        (Renderer.NETWORKD, "50-cloud-init.yaml", "networkd"),
        (Renderer.NETWORK_MANAGER, "01-network-manager-all.yaml", "NetworkManager"),
    ],
)
def test_the_management_file_is_that_of_the_renderer(
    renderer: Renderer, file: str, renderer_name: str
) -> None:
    rack = SimulatedRack("rack", SUBNET, RackShape(1, RackFabric.NONE, renderer))
    name, text = build_management_file(rack.nodes[0], rack)
    assert name == file
    assert f"renderer: {renderer_name}\n" in text
    assert "10.87.7.11/24" in text


def test_a_shape_survives_its_label() -> None:
    shape = RackShape(2, RackFabric.DIRECT, Renderer.NETWORKD, "1gbit", "spark-1:0-spark-2:1")
    assert RackShape.from_label(shape.to_label()) == shape


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (RackShape(3, RackFabric.DIRECT), "does not fit the fabric direct (got 3); allowed: 2"),
        (RackShape(2, RackFabric.RING), "does not fit the fabric ring (got 2); allowed: 3"),
        (
            RackShape(9, RackFabric.SWITCH),
            "does not fit the fabric switch (got 9); allowed: 2 to 8",
        ),
        (RackShape(0, RackFabric.NONE), "does not fit the fabric none (got 0); allowed: 1 to 8"),
        (RackShape(1, RackFabric.NONE, rate="fast"), "--rate: invalid link rate (got fast)"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(shape: RackShape, sentence: str) -> None:
    (problem,) = check_shape(shape)
    assert sentence in str(problem)


def test_everything_wrong_with_a_shape_is_told_at_once() -> None:
    assert len(check_shape(RackShape(3, RackFabric.DIRECT, rate="x", cabling="y"))) == 3


@pytest.mark.parametrize("name", ["", "Rack", "9", "a_b", "a" * 17])
def test_a_name_that_docker_or_the_kernel_would_refuse_is_refused(name: str) -> None:
    assert check_name(name)


def test_nodes_are_created_with_all_labels_and_no_network() -> None:
    argv = commands.create_node(
        SimulatedNode("r", 1, SUBNET), "image:1", {"sparkform.rack.name": "r"}
    )
    assert "--label=sparkform.rack.name=r" in argv
    assert "--network=none" in argv
    assert "--privileged" not in argv
    assert argv[-1] == "image:1"
