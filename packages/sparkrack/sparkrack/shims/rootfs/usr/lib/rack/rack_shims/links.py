"""The node's real network interfaces, from `ip -json address show`."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NetworkInterface:
    """One network interface. `carrier` is what the kernel says of the cable."""

    name: str
    mac: str
    mtu: int
    carrier: bool
    addresses: tuple[str, ...] = ()


def parse(text: str) -> dict[str, NetworkInterface]:
    """The interfaces in an answer of `ip -json address show`, by name."""
    return {entry["ifname"]: _parse_entry(entry) for entry in json.loads(text) if "ifname" in entry}


def read() -> dict[str, NetworkInterface]:
    answer = subprocess.run(
        ["ip", "-json", "address", "show"], capture_output=True, text=True, check=True, timeout=10
    )
    return parse(answer.stdout)


def _parse_entry(entry: dict[str, object]) -> NetworkInterface:
    flags, infos = entry.get("flags", []), entry.get("addr_info", [])
    assert isinstance(flags, list)
    assert isinstance(infos, list)
    return NetworkInterface(
        name=str(entry["ifname"]),
        mac=str(entry.get("address", "00:00:00:00:00:00")),
        mtu=int(str(entry.get("mtu", 0))),
        carrier="LOWER_UP" in flags and "UP" in flags,
        addresses=tuple(info["local"] for info in infos if "local" in info),
    )
