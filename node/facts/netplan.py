"""Fact `netplan`: each netplan file that names a fabric interface, and what it sets on it.

    [{"path": "/etc/netplan/40-cx7.yaml", "mode": "0600", "owner": "0:0", "sha256": "…",
      "renderer": "NetworkManager", "error": null,
      "interfaces": {"enp1s0f0np0": {"addresses": ["192.168.100.10/24"], "dhcp4": false}},
      "members": {"bonds/bond0": ["enp1s0f0np0"]}}]

netplan merges all its folders, the later name winning; a file in /run or /etc hides the one of the
same name in a folder after it (netplan(5)). These files also hold Wi-Fi keys and 802.1x passwords:
only the keys in OWNED of fabric interfaces are passed on. A file that is not YAML is listed with
`error`, for nobody can say that it does not name a fabric interface.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from dataclasses import asdict
from typing import TypedDict

from node.facts.interfaces import parse_port_and_half
from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import to_list, to_mapping, to_text
from node.host.paths import NETPLAN_FOLDERS

OWNED = (
    *("accept-ra", "activation-mode", "addresses", "dhcp4", "dhcp6", "gateway4", "gateway6"),
    *("ignore-carrier", "link-local", "match", "mtu", "optional", "renderer", "routes", "set-name"),
)
_GROUPS = ("bonds", "bridges", "vlans", "vrfs", "tunnels", "ethernets")
_HCA_LINKS = "/sys/class/infiniband/*/device/net/*"


class NetplanFact(TypedDict):
    path: str
    mode: str
    owner: str
    sha256: str
    renderer: str | None
    interfaces: dict[str, dict[str, object]]
    members: dict[str, list[str]]
    error: str | None


def read(reader: FactReader, request: FactRequest) -> list[NetplanFact]:
    winners: dict[str, str] = {}
    for folder in NETPLAN_FOLDERS:
        winners.update(
            {path.rpartition("/")[2]: path for path in reader.list_paths(f"{folder}/*.yaml")}
        )
    hcas = [path.rpartition("/")[2] for path in reader.list_paths(_HCA_LINKS)]
    macs = reader.read_files(reader.list_paths("/sys/class/net/*/address"))
    return parse(
        files={path: asdict(reader.read_guarded(path)) for _, path in sorted(winners.items())},
        fabric=sorted({*hcas, *request.interfaces}),
        macs={path.split("/")[4]: mac.strip() for path, mac in macs.items()},
    )


def parse(
    files: dict[str, dict[str, str]], fabric: list[str], macs: dict[str, str]
) -> list[NetplanFact]:
    reports = [_parse_file(path, facts, set(fabric), macs) for path, facts in files.items()]
    return [item for item in reports if item["interfaces"] or item["members"] or item["error"]]


def _parse_file(
    path: str, facts: dict[str, str], fabric: set[str], macs: dict[str, str]
) -> NetplanFact:
    text = facts["text"]
    network, error = _parse_network(text)
    interfaces, identities = _find_interfaces(network, fabric, macs)
    return {
        "path": path,
        "mode": facts["mode"],
        "owner": facts["owner"],
        "sha256": hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest(),
        "renderer": to_text(network.get("renderer")),
        "interfaces": interfaces,
        "members": _find_members(network, identities | fabric),
        "error": error,
    }


def _parse_network(text: str) -> tuple[dict[str, object], str | None]:
    """The network mapping of a file, and what is wrong with it, without quoting it."""
    try:
        import yaml
    except ImportError:
        raise UnreadableFact("python3-yaml is not installed (netplan.io brings it)") from None
    try:
        document = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        return {}, f"not YAML (line {line})"
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, AttributeError, LookupError):
        return {}, "not YAML"
    return to_mapping(to_mapping(document).get("network")), None


def _find_interfaces(
    network: dict[str, object], fabric: set[str], macs: dict[str, str]
) -> tuple[dict[str, dict[str, object]], set[str]]:
    """Owned keys by interface name, and the ids under which the file knows fabric interfaces."""
    settings_by_name: dict[str, dict[str, object]] = {}
    identities = set()
    for identity, value in to_mapping(network.get("ethernets")).items():
        settings = to_mapping(value)
        keys = {key: to_plain(settings[key]) for key in OWNED if key in settings}
        match = to_mapping(settings["match"]) if "match" in settings else None
        for name in _list_named(identity, match, fabric, macs):
            settings_by_name[name] = keys
            identities.add(identity)
    return settings_by_name, identities


def _list_named(
    identity: str, match: dict[str, object] | None, fabric: set[str], macs: dict[str, str]
) -> list[str]:
    """The fabric interfaces that a definition applies to (netplan(5), properties for physical); an
    empty match is for all of them."""
    if match is None:
        return [identity] if is_fabric(identity, fabric) else []
    pattern, mac = to_text(match.get("name")), to_text(match.get("macaddress"))
    return [
        name
        for name in sorted({*macs, *fabric})
        if is_fabric(name, fabric)
        and (pattern is None or fnmatch.fnmatchcase(name, pattern))
        and (mac is None or macs.get(name, "").lower() == mac.lower())
    ]


def is_fabric(name: str, fabric: set[str]) -> bool:
    return name in fabric or parse_port_and_half(name)[0] is not None


def _find_members(network: dict[str, object], names: set[str]) -> dict[str, list[str]]:
    """Bonds, bridges, VLANs and VRFs that take a fabric interface."""
    members = {}
    for group in _GROUPS:
        for identity, value in to_mapping(network.get(group)).items():
            member_values = [
                *to_list(to_mapping(value).get("interfaces")),
                to_mapping(value).get("link"),
            ]
            texts = {name for name in member_values if isinstance(name, str)}
            used = sorted(name for name in texts if is_fabric(name, names))
            if used:
                members[f"{group}/{identity}"] = used
    return members


_PLAIN_TEXT = re.compile(r"[0-9A-Za-z.:/_*?\[\] -]{0,100}", re.ASCII)


def to_plain(value: object, depth: int = 4) -> object:
    """A YAML value as JSON: addresses, numbers and truth values; anything else becomes null."""
    if (
        isinstance(value, bool)
        or value is None
        or (isinstance(value, str) and _PLAIN_TEXT.fullmatch(value))
    ):
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    if depth and isinstance(value, list):
        return [to_plain(item, depth - 1) for item in value[:50]]
    if depth and isinstance(value, dict):
        return {key: to_plain(item, depth - 1) for key, item in to_mapping(value).items()}
    return None
