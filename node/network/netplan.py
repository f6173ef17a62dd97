"""Netplan files: our own, and whether others name the same interfaces. Pure.

Netplan merges all of its files key by key, a later name winning, so a second file that names our
interface changes it silently (NVIDIA's Sync, its playbooks and sparkrun each write one).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from node.files import yaml_blocks
from node.host.plain import as_list, as_mapping
from node.network.link_config import LinkConfig

FOLDER = "/etc/netplan"
HEADER = "# Written by sparkform; `pulumi up` puts it back, `pulumi destroy` removes it.\n"
# The four halves of a Spark's two QSFP ports, such as enp1s0f0np0 and enP2p1s0f1np1
# (NVIDIA/dgx-spark-playbooks, connect-three-sparks).
FABRIC_NAME = re.compile(r"en[pP]\S*f\d+np\d+")
CONNECTX_DRIVER = "mlx5_core"
NM_DEVICES = "nm-devices"
COMBINING_KINDS = ("bonds", "bridges", "vlans", "vrfs", "tunnels", "ethernets")
"""Definitions that are built on other interfaces (netplan(5)); an Ethernet one with `link` is a
virtual function."""


@dataclass(frozen=True)
class NetplanClaim:
    """Another writer's entry, and all the interfaces that it configures. `key` is its path in the
    file; `obstacle` says why it cannot be taken over."""

    path: str
    key: tuple[str, ...]
    interfaces: tuple[str, ...]
    obstacle: str | None


def is_fabric(name: str) -> bool:
    """
    >>> is_fabric("enP2p1s0f1np1"), is_fabric("enP7s7")
    (True, False)
    """
    return FABRIC_NAME.fullmatch(name) is not None


def build_ethernets(interfaces: Mapping[str, LinkConfig]) -> dict[str, dict[str, object]]:
    """What our file sets on each interface.

    No DHCP, no router advertisements, no link-local addresses: an address that we do not know of
    would be a second one on the fabric. Optional: boot does not wait for a cable. No renderer: the
    machine's own (NetworkManager on DGX OS) takes it.
    """
    fixed: dict[str, object] = {
        "dhcp4": False,
        "dhcp6": False,
        "accept-ra": False,
        "link-local": [],
        "optional": True,
    }
    return {
        name: {
            **fixed,
            **({} if interface["mtu"] is None else {"mtu": interface["mtu"]}),
            "addresses": list(interface["addresses"]),
        }
        for name, interface in sorted(interfaces.items())
    }


def render_file(
    our_ethernets: Mapping[str, Mapping[str, object]], current: str | None = None
) -> tuple[str, list[yaml_blocks.BlockEdit]]:
    """Our file, and its parts as edits, should others write to it. Entries of others stay in it."""
    blocks = {name: _render_block(name, settings) for name, settings in our_ethernets.items()}
    text = HEADER + "network:\n  version: 2\n  ethernets:\n" + "".join(blocks.values())
    path = ["network", "ethernets"]
    edits = [
        yaml_blocks.BlockEdit(path=[*path, name], before=None, after=block)
        for name, block in blocks.items()
    ]
    return _merge_foreign_entries(text, current), edits


def _merge_foreign_entries(text: str, current: str | None) -> str:
    try:
        network = as_mapping(as_mapping(yaml_blocks.load(current or "")).get("network"))
    except ValueError:
        return text
    links = {
        name: entry
        for name, entry in as_mapping(network.get("ethernets")).items()
        if not is_fabric(name)
    }
    foreign = {
        name: entry for name, entry in network.items() if name not in ("version", "ethernets")
    }
    if not links and not foreign:
        return text
    import yaml

    our_network = as_mapping(as_mapping(yaml_blocks.load(text))["network"])
    ethernets = {**our_network["ethernets"], **links}
    merged = {**our_network, **foreign, "ethernets": ethernets}
    return HEADER + yaml.safe_dump({"network": merged}, sort_keys=False)


def _render_block(name: str, settings: Mapping[str, object]) -> str:
    import yaml

    body = yaml.safe_dump({name: dict(settings)}, sort_keys=False)
    return "".join(f"    {line}\n" for line in body.splitlines())


def parse_our_ethernets(text: str | None) -> dict[str, object]:
    """What our file sets on fabric interfaces; empty where it is missing or damaged."""
    try:
        tree = yaml_blocks.load(text or "")
    except ValueError:
        return {}
    entries = as_mapping(yaml_blocks.get_value(tree, ["network", "ethernets"]))
    return {name: settings for name, settings in entries.items() if is_fabric(name)}


def find_claims(
    path: str, text: str, macs: Mapping[str, str], interfaces: Iterable[str]
) -> list[NetplanClaim]:
    """The entries of another writer's file about our interfaces. `macs`: every interface of the
    machine with its hardware address, for entries that match by pattern or address."""
    our_interfaces = set(interfaces)
    try:
        network = as_mapping(yaml_blocks.get_value(yaml_blocks.load(text), ["network"]))
    except ValueError as error:
        named = tuple(sorted(name for name in our_interfaces if name in text))
        return [NetplanClaim(path, (), named, str(error))] if named else []
    written = path.startswith(FOLDER + "/")
    obstacle = None if written else "a program writes it anew at each boot"
    ethernet_claims = [
        NetplanClaim(path, ("network", "ethernets", ident), tuple(sorted(names)), obstacle)
        for ident, entry in as_mapping(network.get("ethernets")).items()
        if (names := match_interfaces(ident, as_mapping(entry), macs)) & our_interfaces
    ]
    ethernet_claims += [
        NetplanClaim(path, ("network", NM_DEVICES, ident), tuple(sorted(names)), obstacle)
        for ident, entry in as_mapping(network.get(NM_DEVICES)).items()
        if (names := _list_passed_through(as_mapping(entry), macs)) & our_interfaces
    ]
    idents = {claim.key[-1]: {*claim.interfaces} for claim in ethernet_claims}
    return ethernet_claims + _find_combined_claims(path, network, our_interfaces, idents)


def narrow_claim(claim: NetplanClaim, our_interfaces: set[str]) -> NetplanClaim | None:
    """The claim as far as it is about our interfaces; None where it is not. One that is about other
    interfaces too cannot be cut out: they would lose their settings."""
    outside = sorted(set(claim.interfaces) - our_interfaces)
    if set(claim.interfaces) <= set(outside):
        return None
    too = f"it is about {', '.join(outside)} too" if outside else None
    inside = tuple(interface for interface in claim.interfaces if interface in our_interfaces)
    return NetplanClaim(claim.path, claim.key, inside, claim.obstacle or too)


def match_interfaces(ident: str, entry: Mapping[str, object], macs: Mapping[str, str]) -> set[str]:
    """The interfaces that an entry is about: by its `match`, else by its own name. An empty match
    is every interface of the kind (netplan(5))."""
    if "match" not in entry:
        return {ident}
    match = as_mapping(entry["match"])
    pattern, mac = match.get("name", "*"), str(match.get("macaddress", "")).lower()
    drivers = match.get("driver") or []
    patterns = [drivers] if isinstance(drivers, str) else [str(text) for text in as_list(drivers)]
    return {
        name
        for name, address in macs.items()
        if fnmatchcase(name, str(pattern))
        and mac in ("", address.lower())
        and (not patterns or _has_driver(name, patterns))
    }


def _list_passed_through(entry: Mapping[str, object], macs: Mapping[str, str]) -> set[str]:
    """The interfaces of a NetworkManager profile that netplan hands on as it is (netplan(5),
    `passthrough`: keys of nm-settings-keyfile(5) behind their section)."""
    passed = as_mapping(as_mapping(entry.get("networkmanager")).get("passthrough"))
    named = {passed.get("connection.interface-name"), passed.get("vlan.parent")}
    address = str(passed.get("ethernet.mac-address", "")).lower()
    return {name for name, mac in macs.items() if name in named or address == mac.lower()}


def _has_driver(name: str, patterns: Iterable[str]) -> bool:
    """Of the halves the driver is known; an entry by driver is about no other interface for us."""
    return is_fabric(name) and any(fnmatchcase(CONNECTX_DRIVER, pattern) for pattern in patterns)


def _find_combined_claims(
    path: str,
    network: Mapping[str, object],
    our_interfaces: set[str],
    idents: Mapping[str, set[str]],
) -> list[NetplanClaim]:
    """Those that take an interface of ours by its name, or by the id of an entry about it."""
    combined_claims = []
    for kind in COMBINING_KINDS:
        for ident, entry in as_mapping(network.get(kind)).items():
            below = {*as_list(as_mapping(entry).get("interfaces")), as_mapping(entry).get("link")}
            names = {name for item in below for name in idents.get(str(item), {item})}
            if names & our_interfaces:
                obstacle = f"it makes them part of {kind.removesuffix('s')} {ident}"
                used = tuple(sorted(names & our_interfaces))
                combined_claims.append(NetplanClaim(path, ("network", kind, ident), used, obstacle))
    return combined_claims


def format_claim(claim: NetplanClaim) -> str:
    """
    >>> format_claim(NetplanClaim("/etc/netplan/40-cx7.yaml", ("network",), ("enp1s0f0np0",), None))
    '/etc/netplan/40-cx7.yaml names enp1s0f0np0 too'
    """
    reason = f" and cannot be taken over, because {claim.obstacle}" if claim.obstacle else ""
    return f"{claim.path} names {', '.join(claim.interfaces)} too{reason}"


def remove_claims(
    text: str, claims_to_remove: Sequence[NetplanClaim]
) -> tuple[str, list[yaml_blocks.BlockEdit]]:
    """The file with those entries cut out. Raises ValueError where lines cannot be cut."""
    edits = []
    for claim in claims_to_remove:
        text, edit = yaml_blocks.cut_key(text, claim.key)
        edits.append(edit)
    return text, edits
