"""The files that are left after others' entries were cut out, read by netplan itself.

Each case is first shown to be valid as it was. Skipped where netplan is not installed.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from node.network import netplan
from node.network.link_config import LinkConfig

GENERATE = Path(os.environ.get("NETPLAN_GENERATE", "/usr/libexec/netplan/generate"))
OURS = ("enp1s0f0np0", "enP2p1s0f0np0")
MACS = {
    "enP7s7": "4c:bb:47:00:00:10",
    "wlP9s9": "4c:bb:47:00:00:20",
    "enp1s0f0np0": "4c:bb:47:00:00:01",
    "enp1s0f1np1": "4c:bb:47:00:00:02",
    "enP2p1s0f0np0": "4c:bb:47:00:00:05",
    "enP2p1s0f1np1": "4c:bb:47:00:00:06",
}
MANAGEMENT = "    enP7s7: {dhcp4: true}\n"
# What is written below `network: {version: 2, ethernets: …}`, and whether it is adopted.
CASES: dict[str, tuple[str, bool]] = {
    "one half": (f"{MANAGEMENT}    enp1s0f0np0:\n      addresses: [10.1.1.1/24]\n", True),
    "both halves alone": (
        "    enp1s0f0np0: {dhcp4: no}\n    enP2p1s0f0np0: {dhcp4: no}\n",
        True,
    ),
    "by hardware address": (
        f'{MANAGEMENT}    qsfp:\n      match: {{macaddress: "4C:BB:47:00:00:01"}}\n'
        "      set-name: enp1s0f0np0\n      mtu: 9000\n",
        True,
    ),
    "by a pattern for ours": (
        f'{MANAGEMENT}    cx7:\n      match: {{name: "en*s0f0np0"}}\n      mtu: 9000\n',
        True,
    ),
    "by driver": (
        f"{MANAGEMENT}    cx7:\n      match: {{driver: mlx5_core}}\n      mtu: 9000\n",
        False,
    ),
    "by a pattern for all": (
        '    all:\n      match: {name: "en*"}\n      dhcp4: true\n',
        False,
    ),
    "an empty match": (
        "    NM-0001:\n      renderer: NetworkManager\n      match: {}\n      dhcp4: true\n",
        False,
    ),
    "a bond by ids": (
        '    a: {match: {macaddress: "4c:bb:47:00:00:01"}}\n'
        '    b: {match: {macaddress: "4c:bb:47:00:00:05"}}\n'
        "  bonds:\n    bond0: {interfaces: [a, b], parameters: {mode: balance-xor}}\n",
        False,
    ),
    "a bond by names": (
        "    enp1s0f0np0: {}\n    enP2p1s0f0np0: {}\n"
        "  bonds:\n    bond0: {interfaces: [enp1s0f0np0, enP2p1s0f0np0]}\n",
        False,
    ),
    "a VLAN": ("    enp1s0f0np0: {}\n  vlans:\n    v5: {id: 5, link: enp1s0f0np0}\n", False),
    "a bridge": ("    enp1s0f0np0: {}\n  bridges:\n    br0: {interfaces: [enp1s0f0np0]}\n", False),
    "a virtual function": (
        "    enp1s0f0np0: {virtual-function-count: 2}\n    vf0: {link: enp1s0f0np0}\n",
        False,
    ),
    "a VXLAN": (
        "    enp1s0f0np0: {addresses: [10.1.1.1/24]}\n"
        "  tunnels:\n    vx0: {mode: vxlan, id: 5, link: enp1s0f0np0, local: 10.1.1.1}\n",
        False,
    ),
    "another port's": (f"{MANAGEMENT}    enp1s0f1np1: {{dhcp4: no}}\n", True),
    "in braces": (
        "    {enP7s7: {dhcp4: true}, enp1s0f0np0: {dhcp4: no}}\n",
        False,
    ),
}
pytestmark = pytest.mark.skipif(not GENERATE.exists(), reason="netplan is not installed")


def generate(root: Path, **files: str) -> subprocess.CompletedProcess[str]:
    folder = root / "etc/netplan"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
        (folder / f"{name}.yaml").chmod(0o600)
    return subprocess.run(
        [GENERATE, "--root-dir", str(root)], capture_output=True, text=True, timeout=60
    )


def render_ours() -> str:
    configs = {name: LinkConfig(addresses=["192.168.100.10/25"], mtu=9000) for name in OURS}
    return netplan.render_file(netplan.build_ethernets(configs))[0]


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_of_a_file_is_valid_beside_ours(case: str, tmp_path: Path) -> None:
    entries, is_adopted = CASES[case]
    text = f"network:\n  version: 2\n  ethernets:\n{entries}"
    before = generate(tmp_path / "before", other=text)
    assert before.returncode == 0, before.stderr
    left = adopt(text)
    assert (left is not None) == is_adopted
    if left is not None:
        after = generate(tmp_path / "after", other=left, ours=render_ours())
        assert after.returncode == 0, after.stderr


def adopt(text: str) -> str | None:
    """The file without the entries about our interfaces; None where it is refused."""
    found = netplan.find_claims("/etc/netplan/50-other.yaml", text, MACS, OURS)
    claims = [
        claim for found_claim in found if (claim := netplan.narrow_claim(found_claim, {*OURS}))
    ]
    if any(claim.obstacle for claim in claims):
        return None
    try:
        return netplan.remove_claims(text, claims)[0]
    except ValueError:
        return None


def test_a_file_that_is_broken_is_told_apart(tmp_path: Path) -> None:
    """The control: netplan does read what the test writes."""
    text = "network:\n  version: 2\n  bonds:\n    bond0: {interfaces: [gone]}\n"
    assert generate(tmp_path, other=text).returncode != 0
