"""Network links at run time: read by `ip -j`, put back by `ip` and `sysctl`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TypedDict

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.plain import as_list, as_mapping
from node.host.system import System

# What networkd, NetworkManager and we set on a link and leave behind on it.
SYSCTLS = (
    "ipv4/arp_announce",
    "ipv4/arp_ignore",
    "ipv4/promote_secondaries",
    "ipv6/accept_ra",
    "ipv6/addr_gen_mode",
    "ipv6/disable_ipv6",
    "ipv6/use_tempaddr",
    "ipv6/proxy_ndp",
)


@dataclass(frozen=True)
class HostLink:
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


class LinkState(TypedDict):
    """A link as the manifest records it; `sysctls` by name, null where the kernel has none."""

    name: str
    mac: str
    mtu: int
    up: bool
    carrier: bool
    addresses: list[str]
    sysctls: dict[str, str | None]


class LinkValues(TypedDict):
    """All that we ever set on a link."""

    mtu: list[int]
    addresses: list[str]


def read_links(system: System) -> dict[str, HostLink]:
    """Every link by name. Raises StepError where `ip` does not say: none is then known absent."""
    result = system.run(["ip", "-j", "address", "show"])
    if result.code:
        raise StepError(f"`ip address` failed: {get_last_line(result)}")
    try:
        return {link.name: link for link in map(_parse_link, as_list(json.loads(result.out)))}
    except (ValueError, KeyError, TypeError):
        raise StepError("`ip address` returned invalid JSON") from None


def _parse_link(document: object) -> HostLink:
    fields = as_mapping(document)
    flags = as_list(fields.get("flags"))
    addresses = [
        f"{address['local']}/{address['prefixlen']}"
        for address in map(as_mapping, as_list(fields.get("addr_info")))
        if "local" in address
    ]
    # A veth's name carries its peer's: enp1s0f0np0@if7.
    name = str(fields["ifname"]).partition("@")[0]
    return HostLink(
        name=name,
        mac=str(fields.get("address", "")),
        mtu=int(fields["mtu"]),
        up="UP" in flags,
        carrier="LOWER_UP" in flags,
        addresses=tuple(addresses),
    )


def capture_state(system: System, link: HostLink) -> LinkState:
    """What a link has that no file holds, to be put back by `restore`."""
    values = {name: _read_sysctl(system, link.name, name) for name in SYSCTLS}
    return LinkState(
        name=link.name,
        mac=link.mac,
        mtu=link.mtu,
        up=link.up,
        carrier=link.carrier,
        addresses=list(link.addresses),
        sysctls=values,
    )


def remove_our_addresses(system: System, before: LinkState, our_values: LinkValues) -> list[str]:
    """Remove from a link the addresses that we added. This comes before `netplan apply`:
    NetworkManager makes a profile of its own for a link with an address that nobody declares."""
    link = read_links(system).get(before["name"])
    removed = (
        [address for address in link.addresses if _is_ours(address, before, our_values)]
        if link
        else []
    )
    commands = [["ip", "address", "del", address, "dev", before["name"]] for address in removed]
    return [message for command in commands for message in _run(system, command)]


def restore(system: System, before: LinkState, our_values: LinkValues) -> list[str]:
    """Put a link back into its recorded state. What others have set since stays; a link that no
    longer exists is skipped."""
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


def _is_ours(address: str, before: LinkState, our_values: LinkValues) -> bool:
    """One that we set, or the link-local one that the kernel adds to a link that we bring up."""
    is_link_local = address.startswith("fe80:") and bool(our_values["addresses"])
    return address not in before["addresses"] and (
        address in our_values["addresses"] or is_link_local
    )


def _build_address_commands(link: HostLink, before: LinkState) -> list[list[str]]:
    """For addresses that the link has lost; one that was down had none."""
    missing = [
        address for address in before["addresses"] if address not in link.addresses and before["up"]
    ]
    return [["ip", "address", "add", address, "dev", link.name] for address in missing]


def _build_state_commands(link: HostLink, before: LinkState) -> list[list[str]]:
    foreign = [address for address in link.ipv4 if address not in before["addresses"]]
    if link.up == before["up"] or (link.up and foreign):
        return []
    return [["ip", "link", "set", "dev", link.name, "up" if before["up"] else "down"]]


def _build_sysctl_commands(system: System, before: LinkState) -> list[list[str]]:
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
    # The renderer may have done it first: an address that exists or is gone already is right.
    if result.code and not re.search("File exists|Cannot assign|already assigned", result.err):
        return [f"`{' '.join(command)}` failed: {get_last_line(result)}"]
    return [" ".join(command)]
