"""An interface against its configuration, addresses and MTU, and how that is phrased. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from node.host.differences import format_change
from node.host.links import HostLink


class LinkConfig(TypedDict):
    """One interface: addresses with prefix length; MTU in bytes, null to leave it alone."""

    addresses: list[str]
    mtu: int | None


class LinkReport(TypedDict):
    """One interface as it is; `up` as the admin set it, `carrier` as the cable says."""

    addresses: list[str]
    mtu: int
    up: bool
    carrier: bool


def describe_link(link: HostLink) -> LinkReport:
    return LinkReport(addresses=link.ipv4, mtu=link.mtu, up=link.up, carrier=link.carrier)


def narrow_to_config(link: LinkReport | None, config: LinkConfig) -> LinkConfig | None:
    """The interface in its configuration's terms: an address that others added is theirs.

    Without a carrier its addresses are not there: the renderer took them away and brings them back
    with the carrier. That is the cable's state, or the far node's, and no drift of this interface.
    """
    if link is None:
        return None
    addresses = link["addresses"] if link["carrier"] else config["addresses"]
    configured = [address for address in config["addresses"] if address in addresses]
    return LinkConfig(addresses=configured, mtu=None if config["mtu"] is None else link["mtu"])


def list_differences(name: str, have: LinkConfig | None, config: LinkConfig) -> list[str]:
    """`have` in the configuration's terms."""
    if have is None:
        return [f"interface {name} is missing"]
    differences = []
    if have["mtu"] != config["mtu"]:
        differences.append(format_change(f"MTU of {name}", have["mtu"], config["mtu"]))
    if have["addresses"] != config["addresses"]:
        differences.append(
            format_change(f"address of {name}", have["addresses"], config["addresses"])
        )
    return differences


def list_unmet(links: Mapping[str, HostLink], configs: Mapping[str, LinkConfig]) -> list[str]:
    """What a link with a cable lacks yet. One without gets its addresses with the cable."""
    return [
        phrase
        for name, config in configs.items()
        if name in links and links[name].carrier
        for phrase in list_differences(
            name, narrow_to_config(describe_link(links[name]), config), config
        )
    ]
