"""Each topology under each renderer: what a real Spark's network does, a node's network does."""

from __future__ import annotations

import socket

import pytest

from sparkrack.ports import FABRIC_DEVICES
from tests.rack.conftest import RackFactory
from tests.support.rack import RackHandle, address, wired_pairs

pytestmark = pytest.mark.rack

SHAPES = [("direct", 2), ("ring", 3), ("switch", 3), ("none", 1)]


@pytest.fixture(
    scope="module",
    params=[(*shape, renderer) for renderer in ("networkd", "networkmanager") for shape in SHAPES],
    ids=lambda param: f"{param[0]}-{param[2]}",
)
def made(request: pytest.FixtureRequest, rack: RackFactory) -> RackHandle:
    fabric, nodes, renderer = request.param
    return rack(nodes=nodes, fabric=fabric, renderer=renderer)


@pytest.fixture(scope="module")
def configured(made: RackHandle) -> RackHandle:
    made.configure_fabric()
    return made


def cabled(made: RackHandle) -> set[tuple[str, str]]:
    ports = [port for segment in made.rack.shape.build_segments() for port in segment.ports]
    return {(f"spark-{port.node}", port.device) for port in ports}


def test_a_node_boots_without_a_failed_unit(made: RackHandle) -> None:
    for host in made.hosts:
        assert made.must(host, "systemctl is-system-running") == "running\n"


def test_fabric_ports_have_no_address_before_anyone_configures_them(made: RackHandle) -> None:
    for host in made.hosts:
        assert [made.addresses(host, device) for device in FABRIC_DEVICES.values()] == [[]] * 4


def test_netplan_apply_sets_addresses_and_mtu(configured: RackHandle) -> None:
    for segment in configured.rack.shape.build_segments():
        for port in segment.ports:
            host = f"spark-{port.node}"
            assert configured.addresses(host, port.device) == [address(configured.rack, port)]
            assert configured.mtu(host, port.device) == 9000


def test_only_cabled_ports_have_a_carrier(configured: RackHandle) -> None:
    for host in configured.hosts:
        configured.must(host, "for d in /sys/class/net/en*; do sudo ip link set ${d##*/} up; done")
    lit = {
        (host, device)
        for host in configured.hosts
        for device, flags in configured.links(host).items()
        if device in FABRIC_DEVICES.values() and "LOWER_UP" in flags
    }
    assert lit == cabled(configured)


def test_jumbo_frames_pass_on_both_twins(configured: RackHandle) -> None:
    blocked = [pair for pair in wired_pairs(configured.rack) if not configured.ping(*pair)]
    assert blocked == []


def test_nodes_reach_each_other_by_management(configured: RackHandle) -> None:
    for node in configured.rack.nodes:
        assert configured.ask(configured.hosts[0], f"ping -c 1 -w 3 {node.address}").returncode == 0


def test_a_reboot_brings_cables_addresses_and_mtu_back(configured: RackHandle) -> None:
    first = configured.hosts[0]
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = configured.must(first, boot_id)
    configured.break_("reboot", first)
    configured.mend("reboot", first)
    assert configured.must(first, boot_id) != before
    pairs = [pair for pair in wired_pairs(configured.rack) if pair[0].node == 1]
    assert [pair for pair in pairs if not configured.ping(*pair)] == []


def test_a_frozen_node_takes_connections_and_says_nothing(configured: RackHandle) -> None:
    node = configured.rack.nodes[0]
    configured.break_("freeze", node.hostname)
    try:
        with socket.create_connection((str(node.address), 22), timeout=3) as connection:
            connection.settimeout(1)
            with pytest.raises(TimeoutError):
                connection.recv(1)
    finally:
        configured.mend("freeze", node.hostname)
    with socket.create_connection((str(node.address), 22), timeout=3) as connection:
        assert connection.recv(4) == b"SSH-"
