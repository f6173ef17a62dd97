"""Fact `interfaces`: each network interface, and for a fabric one its RoCE device, port and half.

    [{"name": "enp1s0f0np0", "state": "up", "carrier": true, "speed_mbps": 200000, "mtu": 9000,
      "mac": "4c:bb:47:00:00:01", "kind": null, "driver": "mlx5_core",
      "addresses": ["192.168.100.10/24"], "port": 0, "half": "A",
      "hca": "rocep1s0f0", "rdma_state": "ACTIVE", "gid_addresses": ["192.168.100.10"],
      "master": null, "parent": null, "pcie_gts": 32.0, "pcie_width": 4}]

`state` is what the administrator set (up, down), `carrier` what the cable says. A QSFP port is two
PCIe halves; which one an interface is stands in its name (enp1s0f0np0: port 0 half A,
enP2p1s0f1np1: port 1 half B; NVIDIA/dgx-spark-playbooks, nvidia/connect-three-sparks/README.md).
`master` is the bond, bridge or switch that it is a port of, `parent` the interface below a VLAN,
macvlan or ipvlan (ip-link(8)). `pcie_gts` and `pcie_width` are the lanes that a device has now
(kernel ABI, sysfs-bus-pci). Ends of container links (veth in a bridge) are left out, halves of
the fabric never.
"""

from __future__ import annotations

import re
from typing import TypedDict

from node.facts import hca
from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import (
    parse_assignments,
    parse_json,
    parse_number,
    to_list,
    to_mapping,
    to_text,
)

_FABRIC_NAME = re.compile(r"en(p|P2p)1s0f([01])(?:np[01])?", re.ASCII)
_GTS = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,2})?) GT/s", re.ASCII)
_DEVICES = "/sys/class/net/*/device/uevent"
_SPEEDS = "/sys/class/net/*/speed"
_PCIE = "/sys/class/net/*/device/current_link_*"
_KINDS_ON_ANOTHER = ("vlan", "macvlan", "macvtap", "ipvlan")


class InterfaceFact(TypedDict):
    name: str
    state: str
    carrier: bool
    speed_mbps: int | None
    mtu: int | None
    mac: str | None
    kind: str | None
    driver: str | None
    addresses: list[str]
    port: int | None
    half: str | None
    hca: str | None
    rdma_state: str | None
    gid_addresses: list[str]
    master: str | None
    parent: str | None
    pcie_gts: float | None
    pcie_width: int | None


def read(reader: FactReader, request: FactRequest) -> list[InterfaceFact]:
    return parse(
        links=reader.run_command("ip", "-j", "-d", "address", "show"),
        sysfs={
            **reader.read_files(
                path
                for pattern in (_SPEEDS, _DEVICES, _PCIE)
                for path in reader.list_paths(pattern)
            ),
            **hca.read_sysfs(reader),
        },
    )


def parse(links: str, sysfs: dict[str, str]) -> list[InterfaceFact]:
    links_value = parse_json(links, "ip address")
    if not isinstance(links_value, list):
        raise UnreadableFact("ip address: expected a list")
    devices = hca.map_by_interface(sysfs)
    links_found = [link for link in map(to_mapping, links_value) if to_text(link.get("ifname"))]
    return [
        _parse_interface(link, sysfs, devices)
        for link in links_found
        if not _is_container_end(link) or _is_half(str(link["ifname"]), devices)
    ]


def parse_port_and_half(name: str) -> tuple[int | None, str | None]:
    """The QSFP port (0, 1) and the half ("A", "B") that an interface name says."""
    match = _FABRIC_NAME.fullmatch(name)
    if not match:
        return None, None
    return int(match.group(2)), "A" if match.group(1) == "p" else "B"


def _parse_interface(
    link: dict[str, object], sysfs: dict[str, str], devices: dict[str, hca.HcaDevice]
) -> InterfaceFact:
    name = str(link["ifname"])
    flags = to_list(link.get("flags"))
    port, half = parse_port_and_half(name)
    kind = to_text(to_mapping(link.get("linkinfo")).get("info_kind"))
    device = devices.get(name)
    return {
        "name": name,
        "state": "up" if "UP" in flags else "down",
        "carrier": "LOWER_UP" in flags,
        "speed_mbps": _parse_speed(sysfs.get(f"/sys/class/net/{name}/speed")),
        "mtu": parse_number(link.get("mtu")),
        "mac": to_text(link.get("address")),
        "kind": kind,
        "driver": parse_assignments(sysfs.get(f"/sys/class/net/{name}/device/uevent", "")).get(
            "DRIVER"
        ),
        "addresses": _parse_addresses(link),
        "port": port,
        "half": half,
        "hca": device.name if device else None,
        "rdma_state": device.state if device else None,
        "gid_addresses": list(device.gid_addresses) if device else [],
        "master": to_text(link.get("master")),
        "parent": to_text(link.get("link")) if kind in _KINDS_ON_ANOTHER else None,
        "pcie_gts": _parse_gts(sysfs.get(f"/sys/class/net/{name}/device/current_link_speed")),
        "pcie_width": parse_number(
            sysfs.get(f"/sys/class/net/{name}/device/current_link_width", "")
        ),
    }


def _is_container_end(link: dict[str, object]) -> bool:
    return to_mapping(link.get("linkinfo")).get("info_kind") == "veth" and "master" in link


def _is_half(name: str, devices: dict[str, hca.HcaDevice]) -> bool:
    """By its name, or by its RoCE device where it was renamed."""
    return parse_port_and_half(name)[0] is not None or name in devices


def _parse_speed(text: str | None) -> int | None:
    """Mb/s; the kernel shows -1 while there is no link."""
    speed = parse_number(text or "")
    return speed if speed and speed > 0 else None


def _parse_gts(text: str | None) -> float | None:
    """ "32.0 GT/s PCIe"; "Unknown" without a link."""
    match = _GTS.match(text or "")
    return float(match.group(1)) if match else None


def _parse_addresses(link: dict[str, object]) -> list[str]:
    addresses = []
    for item in map(to_mapping, to_list(link.get("addr_info"))):
        local, length = to_text(item.get("local")), parse_number(item.get("prefixlen"))
        if local and length is not None:
            addresses.append(f"{local}/{length}")
    return addresses
