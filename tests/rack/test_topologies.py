"""Each topology under each renderer: what a real Spark's network does, a node's network does."""

from __future__ import annotations

import socket

import pytest

from sparkrack.ports import FABRIC_DEVICES
from tests.rack.conftest import RackFactory
from tests.support.rack import RackHandle, compute_address, list_wired_pairs

pytestmark = pytest.mark.rack

SHAPES = [("direct", 2), ("ring", 3), ("switch", 3), ("none", 1)]


@pytest.fixture(
    scope="module",
    params=[(*shape, renderer) for renderer in ("networkd", "networkmanager") for shape in SHAPES],
    ids=lambda param: f"{param[0]}-{param[2]}",
)
def machines(request: pytest.FixtureRequest, rack: RackFactory) -> RackHandle:
    fabric, nodes, renderer = request.param
    return rack(nodes=nodes, fabric=fabric, renderer=renderer)


@pytest.fixture(scope="module")
def configured_machines(machines: RackHandle) -> RackHandle:
    machines.configure_fabric()
    return machines


def list_cabled(machines: RackHandle) -> set[tuple[str, str]]:
    ports = [port for segment in machines.rack.shape.build_segments() for port in segment.ports]
    return {(f"spark-{port.node}", port.device) for port in ports}


def test_a_node_boots_without_a_failed_unit(machines: RackHandle) -> None:
    for host in machines.hosts:
        assert machines.must(host, "systemctl is-system-running") == "running\n"


def test_fabric_ports_have_no_address_before_anyone_configures_them(machines: RackHandle) -> None:
    for host in machines.hosts:
        assert [machines.read_addresses(host, device) for device in FABRIC_DEVICES.values()] == [
            []
        ] * 4


def test_netplan_apply_sets_addresses_and_mtu(configured_machines: RackHandle) -> None:
    for segment in configured_machines.rack.shape.build_segments():
        for port in segment.ports:
            host = f"spark-{port.node}"
            assert configured_machines.read_addresses(host, port.device) == [
                compute_address(configured_machines.rack, port)
            ]
            assert configured_machines.read_mtu(host, port.device) == 9000


def test_only_cabled_ports_have_a_carrier(configured_machines: RackHandle) -> None:
    for host in configured_machines.hosts:
        configured_machines.must(
            host, "for d in /sys/class/net/en*; do sudo ip link set ${d##*/} up; done"
        )
    lit = {
        (host, device)
        for host in configured_machines.hosts
        for device, flags in configured_machines.read_links(host).items()
        if device in FABRIC_DEVICES.values() and "LOWER_UP" in flags
    }
    assert lit == list_cabled(configured_machines)


def test_jumbo_frames_pass_on_both_twins(configured_machines: RackHandle) -> None:
    blocked = [
        pair
        for pair in list_wired_pairs(configured_machines.rack)
        if not configured_machines.ping(*pair)
    ]
    assert blocked == []


def test_nodes_reach_each_other_by_management(configured_machines: RackHandle) -> None:
    for node in configured_machines.rack.nodes:
        assert (
            configured_machines.ask(
                configured_machines.hosts[0], f"ping -c 1 -w 3 {node.address}"
            ).returncode
            == 0
        )


def test_a_reboot_brings_cables_addresses_and_mtu_back(configured_machines: RackHandle) -> None:
    first = configured_machines.hosts[0]
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = configured_machines.must(first, boot_id)
    configured_machines.break_("reboot", first)
    configured_machines.mend("reboot", first)
    assert configured_machines.must(first, boot_id) != before
    pairs = [pair for pair in list_wired_pairs(configured_machines.rack) if pair[0].node == 1]
    assert [pair for pair in pairs if not configured_machines.ping(*pair)] == []


def test_a_frozen_node_takes_connections_and_says_nothing(configured_machines: RackHandle) -> None:
    node = configured_machines.rack.nodes[0]
    configured_machines.break_("freeze", node.hostname)
    try:
        with socket.create_connection((str(node.address), 22), timeout=3) as connection:
            connection.settimeout(1)
            with pytest.raises(TimeoutError):
                connection.recv(1)
    finally:
        configured_machines.mend("freeze", node.hostname)
    with socket.create_connection((str(node.address), 22), timeout=3) as connection:
        assert connection.recv(4) == b"SSH-"
