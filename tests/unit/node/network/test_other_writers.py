"""Files of NetworkManager, networkd and ifupdown about a half: found, and refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.host.system import System
from node.network import other_writers
from node.network.netplan import NetplanClaim

HALF, TWIN, MANAGEMENT = "enp1s0f0np0", "enP2p1s0f0np0", "enP7s7"
MACS = {
    HALF: "4c:bb:47:00:00:01",
    TWIN: "4c:bb:47:00:00:05",
    MANAGEMENT: "4c:bb:47:00:00:10",
    "docker0": "02:42:00:00:00:01",
}
OURS = {HALF, TWIN}
PROFILES = "etc/NetworkManager/system-connections"


def find_in(folder: Path, path: str, text: str, *running: str) -> list[NetplanClaim]:
    """`running`: what is there while the program that reads the file runs."""
    for name, content in {**dict.fromkeys(running, ""), path: text}.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    return other_writers.find_claims(System(folder), MACS, OURS)


MANAGER, NETWORKD = "run/NetworkManager/pid", "run/systemd/netif/state"


@pytest.mark.parametrize(
    "text",
    [
        f"[connection]\nid=cx7\ntype=ethernet\ninterface-name={HALF}\n[ipv4]\nmethod=auto\n",
        "[connection]\nid=cx7\n[ethernet]\nmac-address=4C:BB:47:00:00:01\n",
        "[connection]\nid=cx7\n[match]\ninterface-name=enp1s0f0*;eth9;\n",
        f"[connection]\nid=cx7\ntype=vlan\n[vlan]\nparent={HALF}\nid=5\n",
        f"[connection]\nid=cx7\ncontroller=bond0\ninterface-name={HALF}\n",
    ],
)
def test_a_profile_of_network_manager_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = f"{PROFILES}/cx7.nmconnection"
    assert find_in(tmp_path, path, text) == []
    (claim,) = find_in(tmp_path, path, text, MANAGER)
    assert (claim.path, claim.interfaces) == (f"/{path}", (HALF,))
    assert claim.obstacle == "NetworkManager keeps it; `nmcli connection delete 'cx7'`"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{PROFILES}/lan.nmconnection", f"[connection]\nid=a\ninterface-name={MANAGEMENT}\n"),
        (f"{PROFILES}/any.nmconnection", "[connection]\nid=any\ntype=ethernet\n"),
        (f"{PROFILES}/broken.nmconnection", "no sections at all"),
        *(
            (
                f"run/NetworkManager/system-connections/{HALF}.nmconnection",
                f"[connection]\nid={HALF}\ninterface-name={HALF}\n[.nmmeta]\n{flag}=true\n",
            )
            for flag in ("nm-generated", "external")
        ),
        (
            "run/NetworkManager/system-connections/netplan-enp1s0f0np0.nmconnection",
            f"[connection]\nid=netplan\ninterface-name={HALF}\n",
        ),
    ],
)
def test_other_profiles_are_none_of_ours(tmp_path: Path, path: str, text: str) -> None:
    assert find_in(tmp_path, path, text, MANAGER) == []


@pytest.mark.parametrize(
    ("match", "names"),
    [
        (f"Name={HALF}", (HALF,)),
        ("Name=en*", (TWIN, MANAGEMENT, HALF)),
        (f"Name=!{MANAGEMENT} docker*", (TWIN, HALF)),
        ("MACAddress=4C:BB:47:00:00:05", (TWIN,)),
        ("Driver=mlx5_core", (TWIN, HALF)),
        ("Path=pci-0000:01:*", (HALF,)),
    ],
)
def test_a_file_of_networkd_is_refused_by_name(
    tmp_path: Path, match: str, names: tuple[str, ...]
) -> None:
    device = tmp_path / "sys/class/net" / HALF
    device.mkdir(parents=True)
    (device / "device").symlink_to("../../../0000:01:00.0")
    path, text = "etc/systemd/network/10-cx7.network", f"[Match]\n{match}\n[Network]\nDHCP=yes\n"
    assert find_in(tmp_path, path, text) == []
    (claim,) = find_in(tmp_path, path, text, NETWORKD)
    assert (claim.path, set(claim.interfaces)) == (f"/{path}", set(names))
    assert claim.obstacle


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("run/systemd/network/10-netplan-enp1s0f0np0.network", f"[Match]\nName={HALF}\n"),
        ("usr/lib/systemd/network/80-container-host0.network", "[Match]\nKind=veth\nName=host0\n"),
        ("etc/systemd/network/20-wlan.network", "[Match]\nType=wlan\n"),
        ("etc/systemd/network/10-cx7.link", f"[Match]\nOriginalName={HALF}\n"),
    ],
)
def test_other_files_of_networkd_are_none_of_ours(tmp_path: Path, path: str, text: str) -> None:
    assert find_in(tmp_path, path, text, NETWORKD) == []


def test_a_stanza_of_ifupdown_counts_where_ifupdown_is(tmp_path: Path) -> None:
    text = f"auto lo\niface lo inet loopback\niface {HALF} inet static\n  address 10.0.0.1/24\n"
    assert find_in(tmp_path, "etc/network/interfaces", text) == []
    (claim,) = find_in(tmp_path, "etc/network/interfaces", text, "usr/sbin/ifup")
    assert HALF in claim.interfaces
