"""Addresses and MTU of the fabric's interfaces: one netplan file of ours, others' entries adopted.

A change is armed first (node.network.arming): unless `fabric_confirm` comes by a fresh login
within 90 s, the node takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.changes import action, file
from node.errors import StepError
from node.host import links
from node.host.system import System
from node.network import change, netplan
from node.network.link_config import LinkConfig, list_differences, narrow_to_config
from node.network.link_config import describe_link as seen_of
from node.state import pending_change
from node.state.manifest import Manifest

Json = Mapping[str, Any]


class Want(TypedDict):
    """`file`: our netplan file by interface. `others`: entries of other writers about them."""

    interfaces: dict[str, LinkConfig]
    file: dict[str, dict[str, Any]]
    others: list[dict[str, Any]]
    take_over: bool
    rolled_back: str | None


def build_want(interfaces: Mapping[str, LinkConfig], take_over: bool) -> Want:
    """What a node with these interfaces should have."""
    return Want(
        interfaces=dict(interfaces),
        file=netplan.build_ethernets(interfaces),
        others=[],
        take_over=take_over,
        rolled_back=None,
    )


def observe(system: System, request: Json) -> dict[str, Any]:
    """Every QSFP half, and what `request["interfaces"]` names besides; keys of netplan files only.

    `interfaces`: {name: {"addresses", "mtu", "up", "carrier"}}; `others`: [{"path", "key",
    "interfaces", "obstacle"}].
    """
    current_links = links.read_links(system)
    names = {name for name in current_links if netplan.is_fabric(name)}
    names |= set(request.get("interfaces") or ())
    return {
        "interfaces": {
            name: seen_of(current_links[name]) for name in sorted(names & set(current_links))
        },
        "file": netplan.parse_our_ethernets(system.read(netplan.OUR_FILE)),
        "others": [
            _to_json(netplan_claim) for netplan_claim in _find_claims(system, current_links, names)
        ],
        "rolled_back": pending_change.read_rollback(system),
    }


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    names = set(want["interfaces"])
    return {
        "interfaces": {
            name: narrow_to_config(observed["interfaces"].get(name), link_config)
            for name, link_config in want["interfaces"].items()
        },
        "file": dict(observed["file"]),
        "others": [
            _to_json(claim)
            for entry in observed["others"]
            if (claim := netplan.narrow_claim(_parse_claim(entry), names)) is not None
        ],
        "take_over": want["take_over"],
        "rolled_back": observed["rolled_back"],
    }


def compare(have: Json, want: Json) -> list[str]:
    messages = [
        phrase
        for name, link_config in want["interfaces"].items()
        for phrase in list_differences(name, have["interfaces"].get(name), link_config)
    ]
    messages += _compare_files(have["file"], want["file"])
    messages += [
        f"{_format_claim(entry)}, {_describe_outcome(entry, want)}" for entry in have["others"]
    ]
    if have["rolled_back"]:
        messages.append(
            f"the last change was taken back at {have['rolled_back']}, will be made again"
        )
    return messages


def get_disturbance(have: Json, want: Json) -> str:
    return "none" if have == want else "fabric"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    system = manifest.system
    have = narrow(observe(system, want), want)
    if have == want and not action.is_due(manifest.list_for(action.KIND, action.APPLY_NETPLAN)):
        return []
    current_links = links.read_links(system)
    _require_applicable(have, want, current_links)
    released = [name for name in have["file"] if name not in want["interfaces"]]
    return change.apply_change(
        manifest, _plan_files(system, have, want), want["interfaces"], released
    )


def _require_applicable(
    have: Json, want: Json, current_links: Mapping[str, links.HostLink]
) -> None:
    missing = [name for name in want["interfaces"] if name not in current_links]
    if missing:
        raise StepError(f"This node has no interface {', '.join(missing)}; `ip link` lists them.")
    refused_entries = [
        entry for entry in have["others"] if entry["obstacle"] or not want["take_over"]
    ]
    if refused_entries:
        sentences = [f"{_format_claim(entry)}." for entry in refused_entries]
        raise StepError("\n".join([*sentences, "Take those entries out, then run `pulumi up`."]))


def _plan_files(system: System, have: Json, want: Json) -> list[file.FileChange]:
    """Every file to write; one that says so already is none of them."""
    own_text, edits = netplan.render_file(want["file"], system.read(netplan.OUR_FILE))
    files = []
    if have["file"] != want["file"]:
        files.append(file.FileChange(netplan.OUR_FILE, own_text, 0o600, file.YAML, edits))
    for path in dict.fromkeys(entry["path"] for entry in have["others"]):
        claims = [_parse_claim(entry) for entry in have["others"] if entry["path"] == path]
        try:
            text, edits_of_file = netplan.remove_claims(system.read(path) or "", claims)
        except ValueError as error:
            raise StepError(f"{path}: {error}. Take those entries out by hand.") from None
        files.append(file.FileChange(path, text, 0o600, file.YAML, edits_of_file))
    return files


def _find_claims(
    system: System, current_links: Mapping[str, links.HostLink], names: set[str]
) -> list[netplan.NetplanClaim]:
    macs = {name: link.mac for name, link in current_links.items() if name != "lo"}
    path_by_name = {
        name: f"{folder}/{name}" for folder in netplan.FOLDERS for name in system.list_names(folder)
    }
    paths = [path for name, path in sorted(path_by_name.items()) if name.endswith(".yaml")]
    return [
        claim
        for path in paths
        if path != netplan.OUR_FILE
        for claim in netplan.find_claims(path, system.read(path) or "", macs, names)
    ]


def _compare_files(have: Json, want: Json) -> list[str]:
    if not have and want:
        return [f"{netplan.OUR_FILE} is missing, will be written"]
    messages = [
        f"{netplan.OUR_FILE} does not set {name} so, will be written"
        for name in want
        if have.get(name) != want[name]
    ]
    return messages + [
        f"{name} is no longer used, will be released" for name in have if name not in want
    ]


def _describe_outcome(entry: Json, want: Json) -> str:
    return "will be taken over" if want["take_over"] and not entry["obstacle"] else "is refused"


def _to_json(claim: netplan.NetplanClaim) -> dict[str, Any]:
    interfaces = list(claim.interfaces)
    return {
        "path": claim.path,
        "key": list(claim.key),
        "interfaces": interfaces,
        "obstacle": claim.obstacle,
    }


def _parse_claim(entry: Json) -> netplan.NetplanClaim:
    return netplan.NetplanClaim(
        entry["path"], tuple(entry["key"]), tuple(entry["interfaces"]), entry["obstacle"]
    )


def _format_claim(entry: Json) -> str:
    return netplan.format_claim(_parse_claim(entry))
