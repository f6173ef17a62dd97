"""Netplan files: our own, and whether others name the same interfaces. Pure.

Netplan merges all of its files key by key, a later name winning, so a second file that names our
interface changes it without a word (NVIDIA's Sync, its playbooks and sparkrun each write one).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from node.files import yaml_blocks
from node.host.plain import listing, mapping

OWN = "/etc/netplan/60-sparkform.yaml"
FOLDER = "/etc/netplan"
# Later folders hide earlier ones' files of the same name (netplan(5)).
FOLDERS = ("/lib/netplan", "/run/netplan", FOLDER)
HEAD = "# Written by sparkform; `pulumi up` puts it back, `pulumi destroy` removes it.\n"
# The four halves of a Spark's two QSFP ports, such as enp1s0f0np0 and enP2p1s0f1np1
# (NVIDIA/dgx-spark-playbooks, connect-three-sparks).
FABRIC_NAME = re.compile(r"en[pP]\S*f\d+np\d+")
COMBINING = ("bonds", "bridges", "vlans", "vrfs")


@dataclass(frozen=True)
class Claim:
    """Another writer's entry, and all the interfaces that it is about. `key` is its place in the
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


def ethernets(interfaces: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What our file says of each interface: {"addresses": [...], "mtu": n or None} each.

    No DHCP, no router advertisements, no link-local addresses: an address that we do not know of
    would be a second one on the fabric. Optional: boot does not wait for a cable. No renderer: the
    machine's own (NetworkManager on DGX OS) takes it.
    """
    fixed = {
        "dhcp4": False,
        "dhcp6": False,
        "accept-ra": False,
        "link-local": [],
        "optional": True,
    }
    return {
        name: {
            **fixed,
            **({} if one["mtu"] is None else {"mtu": one["mtu"]}),
            "addresses": list(one["addresses"]),
        }
        for name, one in sorted(interfaces.items())
    }


def text_of(
    own: Mapping[str, Mapping[str, Any]], current: str | None = None
) -> tuple[str, list[yaml_blocks.Edit]]:
    """Our file, and its parts as edits, should others write to it. What others have written to it
    already stays in it."""
    blocks = {name: _block(name, one) for name, one in own.items()}
    text = HEAD + "network:\n  version: 2\n  ethernets:\n" + "".join(blocks.values())
    path = ["network", "ethernets"]
    edits = [
        yaml_blocks.Edit(path=[*path, name], before=None, after=block)
        for name, block in blocks.items()
    ]
    return _with_others(text, current), edits


def _with_others(text: str, current: str | None) -> str:
    try:
        theirs = mapping(mapping(yaml_blocks.load(current or "")).get("network"))
    except ValueError:
        return text
    links = {
        name: one for name, one in mapping(theirs.get("ethernets")).items() if not is_fabric(name)
    }
    others = {name: one for name, one in theirs.items() if name not in ("version", "ethernets")}
    if not links and not others:
        return text
    import yaml

    ours = mapping(mapping(yaml_blocks.load(text))["network"])
    merged = {**ours, **others, "ethernets": {**ours["ethernets"], **links}}
    return HEAD + yaml.safe_dump({"network": merged}, sort_keys=False)


def _block(name: str, one: Mapping[str, Any]) -> str:
    import yaml

    body = yaml.safe_dump({name: dict(one)}, sort_keys=False)
    return "".join(f"    {line}\n" for line in body.splitlines())


def own_ethernets(text: str | None) -> dict[str, Any]:
    """What our file says of fabric interfaces; empty where it is missing or damaged."""
    try:
        tree = yaml_blocks.load(text or "")
    except ValueError:
        return {}
    found = mapping(yaml_blocks.value_at(tree, ["network", "ethernets"]))
    return {name: one for name, one in found.items() if is_fabric(name)}


def claims(path: str, text: str, macs: Mapping[str, str], ours: Iterable[str]) -> list[Claim]:
    """What one file of another writer says of `ours`. `macs`: every interface of the machine with
    its hardware address, for entries that match by pattern or address."""
    wanted = set(ours)
    try:
        network = mapping(yaml_blocks.value_at(yaml_blocks.load(text), ["network"]))
    except ValueError as error:
        named = tuple(sorted(name for name in wanted if name in text))
        return [Claim(path, (), named, str(error))] if named else []
    written = path.startswith(FOLDER + "/")
    obstacle = None if written else "a program writes it anew at each boot"
    found = [
        Claim(path, ("network", "ethernets", ident), tuple(sorted(names)), obstacle)
        for ident, one in mapping(network.get("ethernets")).items()
        if (names := matching(ident, mapping(one), macs)) & wanted
    ]
    return found + _combined(path, network, wanted)


def about(claim: Claim, ours: set[str]) -> Claim | None:
    """The claim as far as it is about `ours`; None where it is not. One that is about other
    interfaces too cannot be cut out: they would lose their settings."""
    outside = sorted(set(claim.interfaces) - ours)
    if set(claim.interfaces) <= set(outside):
        return None
    too = f"it is about {', '.join(outside)} too" if outside else None
    inside = tuple(one for one in claim.interfaces if one in ours)
    return Claim(claim.path, claim.key, inside, claim.obstacle or too)


def matching(ident: str, entry: Mapping[str, Any], macs: Mapping[str, str]) -> set[str]:
    """The interfaces that an entry is about: by its `match`, else by its own name."""
    match = mapping(entry.get("match"))
    if not match:
        return {ident}
    pattern, mac = match.get("name", "*"), str(match.get("macaddress", "")).lower()
    if match.get("driver"):
        pattern = "" if "name" not in match else pattern
    return {
        name
        for name, address in macs.items()
        if fnmatchcase(name, str(pattern)) and mac in ("", address.lower())
    }


def _combined(path: str, network: Mapping[str, Any], wanted: set[str]) -> list[Claim]:
    found = []
    for kind in COMBINING:
        for ident, one in mapping(network.get(kind)).items():
            below = {*listing(mapping(one).get("interfaces")), mapping(one).get("link")}
            if below & wanted:
                obstacle = f"it makes them part of {kind.removesuffix('s')} {ident}"
                used = tuple(sorted(below & wanted))
                found.append(Claim(path, ("network", kind, ident), used, obstacle))
    return found


def sentence(claim: Claim) -> str:
    """
    >>> sentence(Claim("/etc/netplan/40-cx7.yaml", ("network",), ("enp1s0f0np0",), None))
    '/etc/netplan/40-cx7.yaml names enp1s0f0np0 too'
    """
    why = f" and cannot be taken over, because {claim.obstacle}" if claim.obstacle else ""
    return f"{claim.path} names {', '.join(claim.interfaces)} too{why}"


def without(text: str, found: Sequence[Claim]) -> tuple[str, list[yaml_blocks.Edit]]:
    """The file with those entries cut out. Raises ValueError where lines cannot be cut."""
    edits = []
    for one in found:
        text, edit = yaml_blocks.take_out(text, one.key)
        edits.append(edit)
    return text, edits
