"""Network links as they run: read by `ip -j`, and a few of them set back by `ip` and `sysctl`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from node.host.daemons import last_words
from node.host.plain import listing, mapping
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


def read(system: System) -> dict[str, Link]:
    """Every link by name; empty where `ip` is missing."""
    done = system.run(["ip", "-j", "address", "show"])
    try:
        return {link.name: link for link in map(_parse, listing(json.loads(done.out or "[]")))}
    except (ValueError, KeyError, TypeError):
        return {}


def _parse(found: object) -> Link:
    one = mapping(found)
    flags = listing(one.get("flags"))
    addresses = [
        f"{address['local']}/{address['prefixlen']}"
        for address in map(mapping, listing(one.get("addr_info")))
        if "local" in address
    ]
    # A veth's name carries its peer's: enp1s0f0np0@if7.
    name = str(one["ifname"]).partition("@")[0]
    return Link(
        name=name,
        mac=str(one.get("address", "")),
        mtu=int(one["mtu"]),
        up="UP" in flags,
        carrier="LOWER_UP" in flags,
        addresses=tuple(addresses),
    )


def runtime(system: System, link: Link) -> dict[str, Any]:
    """What a link has that no file holds, as plain JSON, to be put back by `restore`."""
    values = {name: _sysctl(system, link.name, name) for name in SYSCTLS}
    return {**asdict(link), "addresses": list(link.addresses), "sysctls": values}


def withdraw(system: System, before: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Remove from a link the addresses that came with us. This comes before `netplan apply`:
    NetworkManager makes a profile of its own for a link that has an address nobody declares."""
    now = read(system).get(before["name"])
    gone = [one for one in now.addresses if _is_ours(one, before, ours)] if now else []
    commands = [["ip", "address", "del", one, "dev", before["name"]] for one in gone]
    return [said for command in commands for said in _run(system, command)]


def restore(system: System, before: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Put a link back. `ours` is {"mtu": [...], "addresses": [...]}: all that we ever set on it;
    what others have set since stays. A link that is gone is nothing to restore."""
    name = before["name"]
    done = withdraw(system, before, ours)
    now = read(system).get(name)
    if now is None:
        return done
    commands = _sysctl_commands(system, before) + _lost_commands(now, before)
    if now.mtu in ours["mtu"] and now.mtu != before["mtu"]:
        commands.append(["ip", "link", "set", "dev", name, "mtu", str(before["mtu"])])
    commands += _up_commands(now, before)
    return done + [said for command in commands for said in _run(system, command)]


def _is_ours(address: str, before: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """One that we set, or the link-local one that the kernel gave the link because we used it."""
    is_link_local = address.startswith("fe80:") and bool(ours["addresses"])
    return address not in before["addresses"] and (address in ours["addresses"] or is_link_local)


def _lost_commands(now: Link, before: Mapping[str, Any]) -> list[list[str]]:
    """A link that was down had no address to lose."""
    lost = [one for one in before["addresses"] if one not in now.addresses and before["up"]]
    return [["ip", "address", "add", one, "dev", now.name] for one in lost]


def _up_commands(now: Link, before: Mapping[str, Any]) -> list[list[str]]:
    others = [one for one in now.ipv4 if one not in before["addresses"]]
    if now.up == before["up"] or (now.up and others):
        return []
    return [["ip", "link", "set", "dev", now.name, "up" if before["up"] else "down"]]


def _sysctl_commands(system: System, before: Mapping[str, Any]) -> list[list[str]]:
    name = before["name"]
    return [
        ["sysctl", "-q", "-w", f"net/{_key(name, key)}={value}"]
        for key, value in before["sysctls"].items()
        if value is not None and _sysctl(system, name, key) not in (None, value)
    ]


def _sysctl(system: System, link: str, name: str) -> str | None:
    text = system.read(f"/proc/sys/net/{_key(link, name)}")
    return None if text is None else text.strip()


def _key(link: str, name: str) -> str:
    """
    >>> _key("enp1s0f0np0", "ipv6/accept_ra")
    'ipv6/conf/enp1s0f0np0/accept_ra'
    """
    family, _, key = name.partition("/")
    return f"{family}/conf/{link}/{key}"


def _run(system: System, command: list[str]) -> list[str]:
    done = system.run(command)
    # The renderer may be as quick as we are: what is there already, or gone already, is right.
    if done.code and not re.search("File exists|Cannot assign|already assigned", done.err):
        return [f"`{' '.join(command)}` failed: {last_words(done)}"]
    return [" ".join(command)]
