"""Network links as they run: read by `ip -j`, and a few of them set back by `ip` and `sysctl`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from node.host.daemons import get_last_line
from node.host.plain import as_list, as_mapping
from node.host.system import System

# What networkd and NetworkManager set on a link that they manage and leave behind on it.
SYSCTLS = (
    "ipv4/promote_secondaries",
    "ipv6/accept_ra",
    "ipv6/addr_gen_mode",
    "ipv6/disable_ipv6",
    "ipv6/use_tempaddr",
    "ipv6/proxy_ndp",
)


@dataclass(frozen=True)
class Link:
    """`addresses` with prefix length, IPv4 and IPv6; `mtu` in bytes; `up` as the admin set it."""

    name: str
    mac: str
    mtu: int
    up: bool
    carrier: bool
    addresses: tuple[str, ...]

    @property
    def ipv4(self) -> list[str]:
        return sorted(address for address in self.addresses if ":" not in address)


def read_links(system: System) -> dict[str, Link]:
    """Every link by name; empty where `ip` is missing."""
    result = system.run(["ip", "-j", "address", "show"])
    try:
        return {
            link.name: link for link in map(_parse_link, as_list(json.loads(result.out or "[]")))
        }
    except (ValueError, KeyError, TypeError):
        return {}


def _parse_link(document: object) -> Link:
    fields = as_mapping(document)
    flags = as_list(fields.get("flags"))
    addresses = [
        f"{address['local']}/{address['prefixlen']}"
        for address in map(as_mapping, as_list(fields.get("addr_info")))
        if "local" in address
    ]
    # A veth's name carries its peer's: enp1s0f0np0@if7.
    name = str(fields["ifname"]).partition("@")[0]
    return Link(
        name=name,
        mac=str(fields.get("address", "")),
        mtu=int(fields["mtu"]),
        up="UP" in flags,
        carrier="LOWER_UP" in flags,
        addresses=tuple(addresses),
    )


def runtime(system: System, link: Link) -> dict[str, Any]:
    """What a link has that no file holds, as plain JSON, to be put back by `restore`."""
    values = {name: _read_sysctl(system, link.name, name) for name in SYSCTLS}
    return {**asdict(link), "addresses": list(link.addresses), "sysctls": values}


def remove_our_addresses(
    system: System, before: Mapping[str, Any], our_values: Mapping[str, Any]
) -> list[str]:
    """Remove from a link the addresses that came with us. This comes before `netplan apply`:
    NetworkManager makes a profile of its own for a link that has an address nobody declares."""
    link = read_links(system).get(before["name"])
    removed = (
        [address for address in link.addresses if _is_ours(address, before, our_values)]
        if link
        else []
    )
    commands = [["ip", "address", "del", address, "dev", before["name"]] for address in removed]
    return [message for command in commands for message in _run(system, command)]


def restore(system: System, before: Mapping[str, Any], our_values: Mapping[str, Any]) -> list[str]:
    """Put a link back. `ours` is {"mtu": [...], "addresses": [...]}: all that we ever set on it;
    what others have set since stays. A link that is gone is nothing to restore."""
    name = before["name"]
    messages = remove_our_addresses(system, before, our_values)
    link = read_links(system).get(name)
    if link is None:
        return messages
    commands = _build_sysctl_commands(system, before) + _build_address_commands(link, before)
    if link.mtu in our_values["mtu"] and link.mtu != before["mtu"]:
        commands.append(["ip", "link", "set", "dev", name, "mtu", str(before["mtu"])])
    commands += _build_state_commands(link, before)
    return messages + [message for command in commands for message in _run(system, command)]


def _is_ours(address: str, before: Mapping[str, Any], our_values: Mapping[str, Any]) -> bool:
    """One that we set, or the link-local one that the kernel gave the link because we used it."""
    is_link_local = address.startswith("fe80:") and bool(our_values["addresses"])
    return address not in before["addresses"] and (
        address in our_values["addresses"] or is_link_local
    )


def _build_address_commands(link: Link, before: Mapping[str, Any]) -> list[list[str]]:
    """A link that was down had no address to lose."""
    missing = [
        address for address in before["addresses"] if address not in link.addresses and before["up"]
    ]
    return [["ip", "address", "add", address, "dev", link.name] for address in missing]


def _build_state_commands(link: Link, before: Mapping[str, Any]) -> list[list[str]]:
    foreign = [address for address in link.ipv4 if address not in before["addresses"]]
    if link.up == before["up"] or (link.up and foreign):
        return []
    return [["ip", "link", "set", "dev", link.name, "up" if before["up"] else "down"]]


def _build_sysctl_commands(system: System, before: Mapping[str, Any]) -> list[list[str]]:
    name = before["name"]
    return [
        ["sysctl", "-q", "-w", f"net/{_get_sysctl_path(name, key)}={value}"]
        for key, value in before["sysctls"].items()
        if value is not None and _read_sysctl(system, name, key) not in (None, value)
    ]


def _read_sysctl(system: System, link: str, name: str) -> str | None:
    text = system.read(f"/proc/sys/net/{_get_sysctl_path(link, name)}")
    return None if text is None else text.strip()


def _get_sysctl_path(link: str, name: str) -> str:
    """
    >>> _get_sysctl_path("enp1s0f0np0", "ipv6/accept_ra")
    'ipv6/conf/enp1s0f0np0/accept_ra'
    """
    family, _, key = name.partition("/")
    return f"{family}/conf/{link}/{key}"


def _run(system: System, command: list[str]) -> list[str]:
    result = system.run(command)
    # The renderer may be as quick as we are: what is there already, or gone already, is right.
    if result.code and not re.search("File exists|Cannot assign|already assigned", result.err):
        return [f"`{' '.join(command)}` failed: {get_last_line(result)}"]
    return [" ".join(command)]
