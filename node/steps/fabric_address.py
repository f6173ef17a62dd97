"""Addresses and MTU of the fabric's interfaces: one netplan file of ours, others' entries adopted.

A change is armed first (node.network.arming): unless `fabric_confirm` comes by a fresh login
within 90 s, the node rolls it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from node.changes import action, file, link
from node.errors import StepError
from node.host import links
from node.host.paths import NETPLAN_FILE, NETPLAN_FOLDERS
from node.host.plain import as_mapping
from node.host.system import System
from node.host.typed_json import OMITTED, key
from node.network import arp, change, netplan, other_writers
from node.network.link_config import (
    LinkConfig,
    LinkReport,
    describe_link,
    list_differences,
    narrow_to_config,
)
from node.network.netplan import NetplanClaim
from node.state import pending_change
from node.state.manifest import Manifest
from node.steps import Disturbance, Secrets, StepRequest, StepSpec, is_same

Settings = Mapping[str, object]


@dataclass(frozen=True)
class Want:
    """`file`: our netplan file by interface. `claims`: entries of other writers about them."""

    interfaces: Mapping[str, LinkConfig]
    file: Mapping[str, Settings]
    claims: tuple[NetplanClaim, ...] = field(metadata=key("others"))
    take_over: bool
    rolled_back: str | None


@dataclass(frozen=True)
class Observed:
    """`rolled_back`: when the node rolled the last change back. `loose_arp`: the interfaces that
    answer ARP for others too."""

    interfaces: Mapping[str, LinkReport] = field(default_factory=dict)
    file: Mapping[str, Settings] = field(default_factory=dict)
    claims: tuple[NetplanClaim, ...] = field(default=(), metadata=key("others"))
    rolled_back: str | None = None
    loose_arp: tuple[str, ...] = ()


@dataclass(frozen=True)
class Have:
    """As Want; null for an interface that is missing. `loose_arp` differs from every want."""

    interfaces: Mapping[str, LinkConfig | None]
    file: Mapping[str, Settings]
    claims: tuple[NetplanClaim, ...] = field(metadata=key("others"))
    take_over: bool
    rolled_back: str | None
    loose_arp: tuple[str, ...] | None = field(default=None, metadata=OMITTED)


def build_want(interfaces: Mapping[str, LinkConfig], take_over: bool) -> Want:
    """What a node with these interfaces should have."""
    return Want(
        interfaces=dict(interfaces),
        file=netplan.build_ethernets(interfaces),
        claims=(),
        take_over=take_over,
        rolled_back=None,
    )


def observe(system: System, request: StepRequest) -> Observed:
    """Every QSFP half, and what the request names besides; keys of netplan files only."""
    current_links = links.read_links(system)
    names = {name for name in current_links if netplan.is_fabric(name)} | {*request.interfaces}
    ethernets = netplan.parse_our_ethernets(system.read(NETPLAN_FILE))
    return Observed(
        interfaces={
            name: describe_link(current_links[name]) for name in sorted(names & set(current_links))
        },
        file={name: as_mapping(settings) for name, settings in ethernets.items()},
        claims=tuple(_find_claims(system, current_links, names)),
        rolled_back=pending_change.read_rollback(system),
        loose_arp=tuple(arp.list_loose(system, sorted(names & set(current_links)))),
    )


def narrow(observed: Observed, want: Want) -> Have:
    names = set(want.interfaces)
    claims = [netplan.narrow_claim(claim, names) for claim in observed.claims]
    return Have(
        interfaces={
            name: narrow_to_config(observed.interfaces.get(name), config)
            for name, config in want.interfaces.items()
        },
        file=dict(observed.file),
        claims=tuple(claim for claim in claims if claim is not None),
        take_over=want.take_over,
        rolled_back=observed.rolled_back,
        loose_arp=tuple(name for name in observed.loose_arp if name in names) or None,
    )


def compare(have: Have, want: Want) -> list[str]:
    messages = [
        phrase
        for name, config in want.interfaces.items()
        for phrase in list_differences(name, have.interfaces.get(name), config)
    ]
    messages += _compare_files(have.file, want.file)
    messages += [
        f"{netplan.format_claim(claim)}, {_describe_outcome(claim, want)}" for claim in have.claims
    ]
    if have.rolled_back:
        messages.append(f"network rolled back at {have.rolled_back}, will be changed again")
    if have.loose_arp and not messages:
        messages.append(f"ARP of {', '.join(have.loose_arp)} answers for others, will not any more")
    return messages


def get_disturbance(have: Have, want: Want) -> Disturbance:
    """How ARP is answered is no matter to a connection that stands."""
    return "none" if is_same(replace(have, loose_arp=None), want) else "fabric"


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    system = manifest.system
    have = narrow(observe(system, StepRequest(interfaces=tuple(want.interfaces))), want)
    entries = manifest.list_for(action.KIND, action.APPLY_NETPLAN)
    if get_disturbance(have, want) == "none" and not action.is_due(entries):
        return _bind_arp(manifest, have, want)
    _require_applicable(have, want, links.read_links(system))
    released = [name for name in have.file if name not in want.interfaces]
    files = _plan_files(system, have, want)
    messages = change.apply_change(manifest, files, want.interfaces, released)
    return messages + _bind_arp(manifest, have, want)


def _bind_arp(manifest: Manifest, have: Have, want: Want) -> list[str]:
    if not have.loose_arp:
        return []
    for name, config in want.interfaces.items():
        link.record(manifest, name, config["mtu"], config["addresses"])
    return arp.bind(manifest, want.interfaces)


def _require_applicable(
    have: Have, want: Want, current_links: Mapping[str, links.HostLink]
) -> None:
    missing = [name for name in want.interfaces if name not in current_links]
    if missing:
        raise StepError(f"This node has no interface {', '.join(missing)}; `ip link` lists them.")
    sentences = find_refusals(have, want)
    if sentences:
        raise StepError("\n".join([*sentences, "Remove those entries, then run `pulumi up`."]))


def find_refusals(have: Have, want: Want) -> list[str]:
    """Entries of others that cannot be cut out."""
    refused = [claim for claim in have.claims if claim.obstacle or not want.take_over]
    return [f"{netplan.format_claim(claim)}." for claim in refused]


def _plan_files(system: System, have: Have, want: Want) -> list[file.FileChange]:
    """Every file to write; one that says so already is none of them."""
    text, edits = netplan.render_file(want.file, system.read(NETPLAN_FILE))
    files = []
    if have.file != want.file:
        files.append(file.FileChange(NETPLAN_FILE, text, 0o600, file.YAML, edits))
    for path in dict.fromkeys(claim.path for claim in have.claims):
        claims = [claim for claim in have.claims if claim.path == path]
        try:
            other_text, cuts = netplan.remove_claims(system.read(path) or "", claims)
        except ValueError as error:
            raise StepError(f"{path}: {error}. Remove those entries by hand.") from None
        files.append(file.FileChange(path, other_text, 0o600, file.YAML, cuts))
    return files


def _find_claims(
    system: System, current_links: Mapping[str, links.HostLink], names: set[str]
) -> list[NetplanClaim]:
    macs = {name: link.mac for name, link in current_links.items() if name != "lo"}
    path_by_name = {
        name: f"{folder}/{name}" for folder in NETPLAN_FOLDERS for name in system.list_names(folder)
    }
    paths = [path for name, path in sorted(path_by_name.items()) if name.endswith(".yaml")]
    claims = [
        claim
        for path in paths
        if path != NETPLAN_FILE
        for claim in netplan.find_claims(path, system.read(path) or "", macs, names)
    ]
    return claims + other_writers.find_claims(system, macs, names)


def _compare_files(have: Mapping[str, Settings], want: Mapping[str, Settings]) -> list[str]:
    if not have and want:
        return [f"{NETPLAN_FILE} is missing, will be written"]
    messages = [
        f"{NETPLAN_FILE} has other settings for {name}, will be written"
        for name in want
        if have.get(name) != want[name]
    ]
    return messages + [
        f"{name} is no longer used, will be released" for name in have if name not in want
    ]


def _describe_outcome(claim: NetplanClaim, want: Want) -> str:
    return "will be taken over" if want.take_over and not claim.obstacle else "is refused"


SPEC = StepSpec(
    name="fabric_address",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    get_disturbance=get_disturbance,
    find_refusals=find_refusals,
)
