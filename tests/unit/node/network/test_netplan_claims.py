"""Which entries of other writers are about our interfaces, however they name them."""

from __future__ import annotations

import pytest

from node.network import netplan

MACS = {
    "enP7s7": "4c:bb:47:00:00:10",
    "enp1s0f0np0": "4c:bb:47:00:00:01",
    "enP2p1s0f0np0": "4c:bb:47:00:00:05",
}
OURS = ["enp1s0f0np0", "enP2p1s0f0np0"]


def find(text: str) -> dict[str, netplan.NetplanClaim]:
    claims = netplan.find_claims("/etc/netplan/50-other.yaml", text, MACS, OURS)
    narrowed = (netplan.narrow_claim(claim, set(OURS)) for claim in claims)
    return {claim.key[-1]: claim for claim in narrowed if claim}


@pytest.mark.parametrize("match", ["{}", "{name: 'en*'}"])
def test_an_entry_for_every_interface_is_about_ours_and_cannot_be_cut_out(match: str) -> None:
    text = f"network:\n  ethernets:\n    any:\n      match: {match}\n      dhcp4: true\n"
    (claim,) = find(text).values()
    assert claim.interfaces == ("enP2p1s0f0np0", "enp1s0f0np0")
    assert claim.obstacle == "it is about enP7s7 too"


@pytest.mark.parametrize("driver", ["mlx5_core", "[igb, mlx5*]"])
def test_an_entry_by_driver_is_about_the_halves_alone(driver: str) -> None:
    text = f"network:\n  ethernets:\n    cx7:\n      match: {{driver: {driver}}}\n      mtu: 1400\n"
    (claim,) = find(text).values()
    assert (claim.interfaces, claim.obstacle) == (("enP2p1s0f0np0", "enp1s0f0np0"), None)


def test_an_entry_by_another_driver_is_about_none_of_ours() -> None:
    """The control."""
    text = "network:\n  ethernets:\n    nic:\n      match: {driver: r8127}\n      dhcp4: true\n"
    assert find(text) == {}


@pytest.mark.parametrize(
    ("passed", "count"),
    [
        ("{connection.interface-name: enp1s0f0np0}", 1),
        ("{connection.type: ethernet, ethernet.mac-address: '4C:BB:47:00:00:01'}", 1),
        ("{connection.type: vlan, vlan.parent: enp1s0f0np0}", 1),
        ("{connection.interface-name: enP7s7}", 0),
    ],
)
def test_a_profile_that_netplan_hands_on_is_about_what_it_names(passed: str, count: int) -> None:
    text = (
        "network:\n  version: 2\n  nm-devices:\n    NM-1:\n      renderer: NetworkManager\n"
        f"      networkmanager:\n        passthrough: {passed}\n"
    )
    claims = find(text)
    assert [claim.interfaces for claim in claims.values()] == [("enp1s0f0np0",)] * count
    remaining_text, _ = netplan.remove_claims(text, list(claims.values()))
    assert ("NM-1" in remaining_text) == (count == 0)


@pytest.mark.parametrize(
    ("kind", "entry", "obstacle"),
    [
        ("bonds", "interfaces: [qsfp-a]", "it makes them part of bond top"),
        ("vlans", "{id: 20, link: qsfp-a}", "it makes them part of vlan top"),
    ],
)
def test_what_combines_ours_by_the_id_of_an_entry_is_refused(
    kind: str, entry: str, obstacle: str
) -> None:
    """Without the entry netplan would refuse the file."""
    text = (
        "network:\n  ethernets:\n    qsfp-a:\n      match: {macaddress: '4C:BB:47:00:00:01'}\n"
        f"  {kind}:\n    top: " + (entry if entry.startswith("{") else "{" + entry + "}") + "\n"
    )
    assert find(text)["top"].obstacle == obstacle
