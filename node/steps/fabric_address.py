"""Addresses and MTU of the fabric's interfaces: one netplan file of ours, others' entries adopted.

A change is armed first (node.network.arming): unless `fabric_confirm` comes by a fresh login
within 90 s, the node takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.changes import action, file
from node.errors import Refusal
from node.host import links
from node.host.system import System
from node.network import change, netplan
from node.network.link_config import Wish, in_terms_of, phrases
from node.network.link_config import seen as seen_of
from node.state import pending_change
from node.state.manifest import Journal

Json = Mapping[str, Any]


class Want(TypedDict):
    """`file`: our netplan file by interface. `others`: entries of other writers about them."""

    interfaces: dict[str, Wish]
    file: dict[str, dict[str, Any]]
    others: list[dict[str, Any]]
    take_over: bool
    rolled_back: str | None


def wanted(interfaces: Mapping[str, Wish], take_over: bool) -> Want:
    """What a node with these interfaces should have."""
    return Want(
        interfaces=dict(interfaces),
        file=netplan.ethernets(interfaces),
        others=[],
        take_over=take_over,
        rolled_back=None,
    )


def observe(system: System, request: Json) -> dict[str, Any]:
    """Every QSFP half, and what `request["interfaces"]` names besides; keys of netplan files only.

    `interfaces`: {name: {"addresses", "mtu", "up", "carrier"}}; `others`: [{"path", "key",
    "interfaces", "obstacle"}].
    """
    found = links.read(system)
    names = {name for name in found if netplan.is_fabric(name)}
    names |= set(request.get("interfaces") or ())
    return {
        "interfaces": {name: seen_of(found[name]) for name in sorted(names & set(found))},
        "file": netplan.own_ethernets(system.read(netplan.OWN)),
        "others": [_plain(one) for one in _claims(system, found, names)],
        "rolled_back": pending_change.rolled_back(system),
    }


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    names = set(want["interfaces"])
    return {
        "interfaces": {
            name: in_terms_of(seen["interfaces"].get(name), wish)
            for name, wish in want["interfaces"].items()
        },
        "file": dict(seen["file"]),
        "others": [
            _plain(claim)
            for one in seen["others"]
            if (claim := netplan.about(_claim(one), names)) is not None
        ],
        "take_over": want["take_over"],
        "rolled_back": seen["rolled_back"],
    }


def differences(have: Json, want: Json) -> list[str]:
    said = [
        phrase
        for name, wish in want["interfaces"].items()
        for phrase in phrases(name, have["interfaces"].get(name), wish)
    ]
    said += _file_phrases(have["file"], want["file"])
    said += [f"{_sentence(one)}, {_fate(one, want)}" for one in have["others"]]
    if have["rolled_back"]:
        said.append(f"the last change was taken back at {have['rolled_back']}, will be made again")
    return said


def disturbs(have: Json, want: Json) -> str:
    return "none" if have == want else "fabric"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    system = journal.system
    have = narrow(observe(system, want), want)
    if have == want and not action.is_due(journal.of(action.KIND, action.APPLY_NETPLAN)):
        return []
    found = links.read(system)
    _require(have, want, found)
    released = [name for name in have["file"] if name not in want["interfaces"]]
    return change.change(journal, _files(system, have, want), want["interfaces"], released)


def _require(have: Json, want: Json, found: Mapping[str, links.Link]) -> None:
    missing = [name for name in want["interfaces"] if name not in found]
    if missing:
        raise Refusal(f"This node has no interface {', '.join(missing)}; `ip link` lists them.")
    refused = [one for one in have["others"] if one["obstacle"] or not want["take_over"]]
    if refused:
        sentences = [f"{_sentence(one)}." for one in refused]
        raise Refusal("\n".join([*sentences, "Take those entries out, then run `pulumi up`."]))


def _files(system: System, have: Json, want: Json) -> list[file.Change]:
    """Every file to write; one that says so already is none of them."""
    own, edits = netplan.text_of(want["file"], system.read(netplan.OWN))
    files = []
    if have["file"] != want["file"]:
        files.append(file.Change(netplan.OWN, own, 0o600, file.YAML, edits))
    for path in dict.fromkeys(one["path"] for one in have["others"]):
        of_file = [_claim(one) for one in have["others"] if one["path"] == path]
        try:
            text, cuts = netplan.without(system.read(path) or "", of_file)
        except ValueError as error:
            raise Refusal(f"{path}: {error}. Take those entries out by hand.") from None
        files.append(file.Change(path, text, 0o600, file.YAML, cuts))
    return files


def _claims(
    system: System, found: Mapping[str, links.Link], names: set[str]
) -> list[netplan.Claim]:
    macs = {name: one.mac for name, one in found.items() if name != "lo"}
    shown = {
        name: f"{folder}/{name}" for folder in netplan.FOLDERS for name in system.names(folder)
    }
    paths = [path for name, path in sorted(shown.items()) if name.endswith(".yaml")]
    return [
        claim
        for path in paths
        if path != netplan.OWN
        for claim in netplan.claims(path, system.read(path) or "", macs, names)
    ]


def _file_phrases(have: Json, want: Json) -> list[str]:
    if not have and want:
        return [f"{netplan.OWN} is missing, will be written"]
    said = [
        f"{netplan.OWN} does not set {one} so, will be written"
        for one in want
        if have.get(one) != want[one]
    ]
    return said + [f"{one} is no longer used, will be released" for one in have if one not in want]


def _fate(one: Json, want: Json) -> str:
    return "will be taken over" if want["take_over"] and not one["obstacle"] else "is refused"


def _plain(claim: netplan.Claim) -> dict[str, Any]:
    interfaces = list(claim.interfaces)
    return {
        "path": claim.path,
        "key": list(claim.key),
        "interfaces": interfaces,
        "obstacle": claim.obstacle,
    }


def _claim(one: Json) -> netplan.Claim:
    return netplan.Claim(one["path"], tuple(one["key"]), tuple(one["interfaces"]), one["obstacle"])


def _sentence(one: Json) -> str:
    return netplan.sentence(_claim(one))
