"""Files beside netplan's that set up interfaces: NetworkManager's, networkd's and ifupdown's.

netplan writes files of its own below /run for NetworkManager and networkd; those are left out. None
of the others can be taken over: what is in them follows other rules than netplan's.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from node.host.system import System
from node.network.netplan import CONNECTX_DRIVER, NetplanClaim, is_fabric

MANAGER, NETWORKD = "/run/NetworkManager", "/run/systemd/netif/state"
"""There while NetworkManager, or systemd-networkd, runs."""

PROFILE_FOLDERS = tuple(
    f"{folder}/NetworkManager/system-connections" for folder in ("/etc", "/run", "/usr/lib")
)
NETWORK_FOLDERS = tuple(
    f"{folder}/systemd/network" for folder in ("/usr/lib", "/usr/local/lib", "/run", "/etc")
)
IFUP, INTERFACES = "/usr/sbin/ifup", "/etc/network/interfaces"
ETHERNET_SECTIONS = ("ethernet", "802-3-ethernet")
_STANZA = re.compile(r"^\s*iface\s+(\S+)", re.MULTILINE)

Section = Mapping[str, str]
Sections = Mapping[str, Section]


def find_claims(system: System, macs: Mapping[str, str], ours: set[str]) -> list[NetplanClaim]:
    """The files of running programs that are about our interfaces. `macs`: every interface of the
    machine with its hardware address."""
    claims = [*_find_profiles(system, macs), *_find_networks(system, macs), *_find_stanzas(system)]
    return [claim for claim in claims if ours & {*claim.interfaces}]


def _find_profiles(system: System, macs: Mapping[str, str]) -> Iterator[NetplanClaim]:
    if not system.list_names(MANAGER):
        return
    for folder in PROFILE_FOLDERS:
        for name in system.list_names(folder):
            sections = _parse(system.read(f"{folder}/{name}"))
            names = select_by_profile(sections, macs)
            if names and not name.startswith("netplan-") and not is_generated(sections):
                ident = sections["connection"].get("id", name)
                obstacle = f"NetworkManager keeps it; `nmcli connection delete {ident!r}`"
                yield NetplanClaim(f"{folder}/{name}", (), tuple(sorted(names)), obstacle)


def is_generated(sections: Sections) -> bool:
    """Whether NetworkManager made the profile itself, in memory: for a link that somebody else set
    up, or that nothing is said of. It goes when a profile for the link comes. Pure.

    Section and keys: src/libnm-core-aux-intern/nm-libnm-core-utils.h of NetworkManager 1.42.
    """
    flags = sections.get(".nmmeta", {})
    return "true" in (flags.get("nm-generated"), flags.get("external"))


def select_by_profile(sections: Sections, macs: Mapping[str, str]) -> set[str]:
    """The interfaces that a profile names, by name, pattern, hardware address or as a VLAN's
    parent (nm-settings-keyfile(5)). One that names none is for whichever has no other. Pure."""
    connection = sections.get("connection", {})
    patterns = sections.get("match", {}).get("interface-name", "").replace(";", " ").split()
    named = {connection.get("interface-name"), sections.get("vlan", {}).get("parent")}
    addresses = {
        sections.get(section, {}).get("mac-address", "").lower() for section in ETHERNET_SECTIONS
    }
    return {
        name
        for name, mac in macs.items()
        if name in named
        or mac.lower() in addresses - {""}
        or any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def _find_networks(system: System, macs: Mapping[str, str]) -> Iterator[NetplanClaim]:
    """A file hides those of its name in the folders before it (systemd.network(5))."""
    if system.read(NETWORKD) is None:
        return
    paths = {
        name: f"{folder}/{name}"
        for folder in NETWORK_FOLDERS
        for name in system.list_names(folder)
        if name.endswith(".network") and not name.startswith("10-netplan-")
    }
    for path in paths.values():
        match = _parse(system.read(path)).get("match", {})
        names = [
            name for name in macs if is_matched(match, name, macs[name], _get_bus(system, name))
        ]
        if names:
            obstacle = "systemd-networkd reads it beside netplan's files"
            yield NetplanClaim(path, (), tuple(sorted(names)), obstacle)


def is_matched(match: Section, name: str, mac: str, bus: str) -> bool:
    """Whether all conditions of a [Match] section hold (systemd.network(5)); those about a kind are
    for virtual links. Pure."""
    if "kind" in match or match.get("type", "ether") != "ether":
        return False
    driver = CONNECTX_DRIVER if is_fabric(name) else ""
    hardware = (
        f"{match.get('macaddress', '')} {match.get('permanentmacaddress', '')}".lower().split()
    )
    return (
        _is_listed(name, match.get("name", "*"))
        and _is_listed(driver, match.get("driver", "*"))
        and _is_listed(bus, match.get("path", "*"))
        and mac.lower() in (hardware or [mac.lower()])
    )


def _is_listed(text: str, patterns: str) -> bool:
    """Patterns parted by blanks; "!" before the first turns them round."""
    is_listed = any(fnmatchcase(text, pattern) for pattern in patterns.lstrip("!").split())
    return is_listed != patterns.startswith("!")


def _get_bus(system: System, name: str) -> str:
    """As udev's ID_PATH has it: pci-0000:01:00.0."""
    link = system.read_link(f"/sys/class/net/{name}/device") or ""
    return f"pci-{link.rpartition('/')[2]}"


def _find_stanzas(system: System) -> Iterator[NetplanClaim]:
    if system.get_state(IFUP) is None:
        return
    folder = f"{INTERFACES}.d"
    for path in [INTERFACES, *(f"{folder}/{name}" for name in system.list_names(folder))]:
        names = tuple(sorted({*_STANZA.findall(system.read(path) or "")}))
        if names:
            yield NetplanClaim(path, (), names, "ifupdown brings them up by it")


def _parse(text: str | None) -> Sections:
    """Keys in lower case, and a section's name too; what is no such file has none."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string(text or "")
    except configparser.Error:
        return {}
    return {
        section.lower(): {key: value or "" for key, value in parser[section].items()}
        for section in parser.sections()
    }
