"""The view of RoCE devices follows the links as the kernel's would."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkrack.shims.rootfs.usr.lib.rack.rack_shims import gids, hca, links, machine
from sparkrack_tests.shims.conftest import ShimNode

MAC = "4c:bb:47:e8:9f:39"
LOCAL = "fe80:0000:0000:0000:4ebb:47ff:fee8:9f39"
A, B, V6 = "192.168.100.10", "192.168.101.10", "fe80::7f84:8af3:84a3:30b8"
MAPPED_A = "0000:0000:0000:0000:0000:ffff:c0a8:640a"
PORT = "sys/class/infiniband/rocep1s0f0/ports/1"


def test_a_port_without_address_has_the_two_link_local_entries() -> None:
    assert gids.update({}, MAC, [], 255) == {0: (LOCAL, gids.V1), 1: (LOCAL, gids.V2)}


def test_an_ipv4_address_takes_the_next_two_places() -> None:
    table = gids.update({}, MAC, [A], 255)
    assert table[2] == (MAPPED_A, gids.V1)
    assert table[3] == (MAPPED_A, gids.V2)


def test_a_second_link_local_address_moves_ipv4_to_index_5() -> None:
    """As printed by a public tool on a GX10 pair whose NetworkManager made a private address."""
    assert gids.update({}, MAC, [V6, A], 255)[5] == (MAPPED_A, gids.V2)


def test_the_kernels_own_link_local_address_adds_no_entry() -> None:
    assert len(gids.update({}, MAC, ["fe80::4ebb:47ff:fee8:9f39"], 255)) == 2


def test_an_index_drifts_when_addresses_come_back_in_another_order() -> None:
    first = gids.update({}, MAC, [A, B], 255)
    shrunk = gids.update(first, MAC, [B], 255)
    assert sorted(shrunk) == [0, 1, 4, 5]
    refilled = gids.update(shrunk, MAC, [V6, B], 255)
    again = gids.update(refilled, MAC, [V6, B, A], 255)
    assert first[3] == again[7] == (MAPPED_A, gids.V2)


ADDRESSES = st.lists(
    st.sampled_from([A, B, V6, "10.0.0.1", "169.254.3.4", "2001:db8::1"]), max_size=6
)


@given(st.lists(ADDRESSES, max_size=6))
def test_after_any_history_every_address_stands_once_in_each_version(
    history: list[list[str]],
) -> None:
    table: gids.Table = {}
    for addresses in history:
        table = gids.update(table, MAC, addresses, 255)
    last = history[-1] if history else []
    expected = {(gids.compute_address_gid(a), kind) for a in last for kind in (gids.V1, gids.V2)}
    entries = [entry for index, entry in table.items() if index > 1]
    assert len(entries) == len(set(entries))
    assert set(entries) == expected


@pytest.mark.parametrize(
    ("mtu", "expected"), [(9000, 4096), (1500, 1024), (4191, 2048), (4192, 4096), (68, 256)]
)
def test_the_roce_mtu_is_the_largest_that_fits(mtu: int, expected: int) -> None:
    assert hca.compute_roce_mtu(mtu)[0] == expected


def test_a_cable_makes_a_port_active(node: ShimNode) -> None:
    node.show_links({"enp1s0f0np0": {"carrier": True, "addresses": [A]}})
    assert node.read(f"{PORT}/state") == "4: ACTIVE\n"
    assert node.read(f"{PORT}/phys_state") == "5: LinkUp\n"
    assert node.read(f"{PORT}/rate") == "200 Gb/sec (2X NDR)\n"
    assert node.read(f"{PORT}/gid_attrs/types/3") == "RoCE v2\n"
    assert node.read(f"{PORT}/gid_attrs/ndevs/3") == "enp1s0f0np0\n"


def test_no_cable_makes_it_down_and_its_address_gone_empties_the_entry(node: ShimNode) -> None:
    node.show_links({"enp1s0f0np0": {"carrier": True, "addresses": [A]}})
    node.show_links({})
    assert node.read(f"{PORT}/state") == "1: DOWN\n"
    assert node.read(f"{PORT}/gids/3").strip() == gids.EMPTY
    assert not (node.root / PORT / "gid_attrs/types/3").exists()
    assert node.read(f"{PORT}/gid_attrs/types/1") == "RoCE v2\n"


def test_the_device_leads_to_its_interface_and_its_pci_address(node: ShimNode) -> None:
    node.show_links({})
    device = node.root / "sys/class/infiniband/roceP2p1s0f1/device"
    assert [path.name for path in (device / "net").iterdir()] == ["enP2p1s0f1np1"]
    assert device.resolve().name == "0002:01:00.1"
    assert (device / "vendor").read_text() == "0x15b3\n"


def test_the_machine_says_what_it_is(node: ShimNode) -> None:
    node.show_links({})
    assert node.read("sys/class/dmi/id/product_name") == "NVIDIA_DGX_Spark\n"
    assert node.read("etc/dgx-release").startswith('DGX_NAME="DGX Spark"\n')


def test_a_changed_data_file_changes_the_view(node: ShimNode) -> None:
    node.show_links({})
    node.edit("system", ota_updates=[["7.6.0", "today"]])
    node.edit("hca", firmware_version="28.47.1088")
    node.show_links({})
    assert 'DGX_OTA_VERSION="7.6.0"' in node.read("etc/dgx-release")
    assert node.read("sys/class/infiniband/rocep1s0f0/fw_ver") == "28.47.1088\n"


def test_ibstat_has_the_form_of_a_connectx_7_ethernet_port(node: ShimNode) -> None:
    node.show_links({"enp1s0f0np0": {"carrier": True, "mac": MAC}})
    answer = node.run("usr/sbin/ibstat", "rocep1s0f0").stdout
    assert answer == (
        "CA 'rocep1s0f0'\n\tCA type: MT4129\n\tNumber of ports: 1\n"
        "\tFirmware version: 28.45.4028\n\tHardware version: 0\n"
        "\tNode GUID: 0x4cbb470300e89f39\n\tSystem image GUID: 0x4cbb470300e89f39\n"
        "\tPort 1:\n\t\tState: Active\n\t\tPhysical state: LinkUp\n\t\tRate: 200\n"
        "\t\tBase lid: 0\n\t\tLMC: 0\n\t\tSM lid: 0\n\t\tCapability mask: 0x00010000\n"
        "\t\tPort GUID: 0x4ebb47fffee89f39\n\t\tLink layer: Ethernet\n"
    )


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("usr/bin/ibdev2netdev", ["-v"]),
        ("usr/sbin/ibstat", ["-s"]),
        ("usr/bin/ibv_devinfo", ["-v"]),
        ("usr/bin/ibv_devices", ["-x"]),
        ("usr/sbin/dmidecode", ["-t", "memory"]),
        ("usr/bin/fwupdmgr", ["downgrade"]),
        ("usr/local/cuda/bin/nvcc", ["x.cu"]),
    ],
)
def test_an_unknown_option_is_an_error(node: ShimNode, program: str, arguments: list[str]) -> None:
    node.show_links({})
    answer = node.run(program, *arguments)
    assert answer.returncode == 125
    assert "does not know" in answer.stderr


def test_without_roce_devices_the_tools_say_so(node: ShimNode) -> None:
    assert node.run("usr/bin/ibdev2netdev").returncode == 255
    assert node.run("usr/bin/ibv_devinfo").returncode == 255
    assert node.run("usr/bin/show_gids").stdout.endswith("n_gids_found=0\n")


IP_ANSWER = json.dumps(
    [
        {"ifname": "lo", "flags": ["LOOPBACK", "UP", "LOWER_UP"], "mtu": 65536, "addr_info": []},
        {
            "ifname": "enp1s0f0np0",
            "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
            "mtu": 9000,
            "address": MAC,
            "addr_info": [{"family": "inet", "local": A}, {"family": "inet6", "local": V6}],
        },
        {"ifname": "enp1s0f1np1", "flags": ["NO-CARRIER", "BROADCAST", "UP"], "mtu": 1500},
        {},
    ]
)


def test_links_are_read_from_ip_with_addresses_in_its_order() -> None:
    interfaces = links.parse(IP_ANSWER)
    assert interfaces["enp1s0f0np0"] == links.NetworkInterface(
        name="enp1s0f0np0", mac=MAC, mtu=9000, carrier=True, addresses=(A, V6)
    )
    assert not interfaces["enp1s0f1np1"].carrier


VETH = "Settings for x:\n\tSpeed: 10000Mb/s\n\tDuplex: Full\n\tPort: Twisted Pair\n\tPHYAD: 0\n"


def test_ethtool_shows_the_speed_of_the_cable_and_keeps_other_lines(node: ShimNode) -> None:
    up = links.NetworkInterface(name="x", mac=MAC, mtu=1500, carrier=True)
    text = machine.rewrite_settings(VETH, node.read_document("hca"), up)
    assert "\tSpeed: 200000Mb/s\n" in text
    assert "\tPHYAD: 0\n" in text
    down = links.NetworkInterface(name="x", mac=MAC, mtu=1500, carrier=False)
    assert "\tSpeed: Unknown!\n" in machine.rewrite_settings(VETH, node.read_document("hca"), down)
