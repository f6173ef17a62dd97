"""The program that plugs a node in: what it would tell `ip` and `tc`."""

from __future__ import annotations

import pytest

from sparkrack.image.rootfs.usr.local.lib.rack import ports

CABLED: ports.PortRecord = {
    "device": "enp1s0f0np0",
    "mac": "02:00:00:00:00:01",
    "panel": "n1p0a",
    "segment": "cable0",
    "far": ["n2p0a"],
    "state": "up",
    "rate": None,
    "mtu": None,
}


def test_a_port_lights_up_together_with_its_far_end() -> None:
    lines = ports.build_wiring_lines([CABLED], {"n1p0a", "n2p0a"})
    assert lines == [
        "link set n1p0a mtu 65535",
        "link set n1p0a master cable0",
        "link set n1p0a up",
        "link set n2p0a up",
    ]


def test_a_port_stays_dark_while_the_far_node_has_no_power() -> None:
    assert "link set n1p0a down" in ports.build_wiring_lines([CABLED], {"n1p0a"})


def test_a_broken_link_darkens_both_ends() -> None:
    lines = ports.build_wiring_lines([CABLED | {"state": "down"}], {"n1p0a", "n2p0a"})
    assert lines[-2:] == ["link set n1p0a down", "link set n2p0a down"]


def test_a_port_without_cable_is_dark_and_on_no_wire() -> None:
    loose = CABLED | {"segment": None, "far": []}
    assert ports.build_wiring_lines([loose], {"n1p0a"}) == [
        "link set n1p0a mtu 65535",
        "link set n1p0a down",
    ]


def test_a_rate_is_set_and_taken_back() -> None:
    (line,) = ports.build_shaping_lines([CABLED | {"rate": "1gbit"}], set())
    assert "tbf rate 1gbit" in line
    assert ports.build_shaping_lines([CABLED], {"n1p0a"}) == ["qdisc del dev n1p0a root"]
    assert ports.build_shaping_lines([CABLED], set()) == []


def test_a_setting_of_all_ports_leaves_management_alone() -> None:
    management = CABLED | {"device": "enP7s7"}
    changed = ports.change_setting([management, CABLED], "all", "mtu", 1500)
    assert [port["mtu"] for port in changed] == [None, 1500]


@pytest.mark.parametrize(("device", "key"), [("eth0", "mtu"), ("all", "colour")])
def test_an_unknown_port_or_setting_is_refused(device: str, key: str) -> None:
    with pytest.raises(KeyError):
        ports.change_setting([CABLED], device, key, 1)
