"""Fact `interfaces`: each network interface, and for a fabric one its RoCE device, port and half.

    [{"name": "enp1s0f0np0", "state": "up", "carrier": true, "speed_mbps": 200000, "mtu": 9000,
      "mac": "4c:bb:47:00:00:01", "kind": null, "driver": "mlx5_core",
      "addresses": ["192.168.100.10/24"], "port": 0, "half": "A",
      "hca": "rocep1s0f0", "rdma_state": "ACTIVE", "gid_addresses": ["192.168.100.10"]}]

`state` is what the administrator set (up, down), `carrier` what the cable says. A QSFP port is two
PCIe halves; which one an interface is stands in its name (enp1s0f0np0: port 0 half A,
enP2p1s0f1np1: port 1 half B; NVIDIA/dgx-spark-playbooks, nvidia/connect-three-sparks/README.md).
Ends of container links (veth in a bridge) are left out.
"""

from __future__ import annotations

import re

from node.facts import hca
from node.facts.reading import Look, Request, Unreadable
from node.facts.values import assignments, items, json_value, mapping, number, text_or_none

_FABRIC_NAME = re.compile(r"en(p|P2p)1s0f([01])(?:np[01])?", re.ASCII)
_DEVICES = "/sys/class/net/*/device/uevent"
_SPEEDS = "/sys/class/net/*/speed"


def read(look: Look, request: Request) -> object:
    return parse(
        links=look.command("ip", "-j", "-d", "address", "show"),
        sysfs={**look.texts(look.names(_SPEEDS) + look.names(_DEVICES)), **hca.texts(look)},
    )


def parse(links: str, sysfs: dict[str, str]) -> object:
    found = json_value(links, "ip address")
    if not isinstance(found, list):
        raise Unreadable("ip address: expected a list")
    devices = hca.by_interface(sysfs)
    links_found = [link for link in map(mapping, found) if text_or_none(link.get("ifname"))]
    return [_interface(link, sysfs, devices) for link in links_found if not _container_end(link)]


def port_and_half(name: str) -> tuple[int | None, str | None]:
    """The QSFP port (0, 1) and the half ("A", "B") that an interface name says."""
    found = _FABRIC_NAME.fullmatch(name)
    if not found:
        return None, None
    return int(found.group(2)), "A" if found.group(1) == "p" else "B"


def _interface(
    link: dict[str, object], sysfs: dict[str, str], devices: dict[str, hca.Device]
) -> dict[str, object]:
    name = str(link["ifname"])
    flags = items(link.get("flags"))
    port, half = port_and_half(name)
    device = devices.get(name)
    return {
        "name": name,
        "state": "up" if "UP" in flags else "down",
        "carrier": "LOWER_UP" in flags,
        "speed_mbps": _speed(sysfs.get(f"/sys/class/net/{name}/speed")),
        "mtu": number(link.get("mtu")),
        "mac": text_or_none(link.get("address")),
        "kind": text_or_none(mapping(link.get("linkinfo")).get("info_kind")),
        "driver": assignments(sysfs.get(f"/sys/class/net/{name}/device/uevent", "")).get("DRIVER"),
        "addresses": _addresses(link),
        "port": port,
        "half": half,
        "hca": device.name if device else None,
        "rdma_state": device.state if device else None,
        "gid_addresses": list(device.gid_addresses) if device else [],
    }


def _container_end(link: dict[str, object]) -> bool:
    return mapping(link.get("linkinfo")).get("info_kind") == "veth" and "master" in link


def _speed(text: str | None) -> int | None:
    """Mb/s; the kernel shows -1 while there is no link."""
    speed = number(text or "")
    return speed if speed and speed > 0 else None


def _addresses(link: dict[str, object]) -> list[str]:
    found = []
    for item in map(mapping, items(link.get("addr_info"))):
        local, length = text_or_none(item.get("local")), number(item.get("prefixlen"))
        if local and length is not None:
            found.append(f"{local}/{length}")
    return found
