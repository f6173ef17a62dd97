"""An interface against its wish, addresses and MTU, and how that is said. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.host.differences import changed
from node.host.links import Link

Json = Mapping[str, Any]


class Wish(TypedDict):
    """One interface: addresses with prefix length; MTU in bytes, null to leave it alone."""

    addresses: list[str]
    mtu: int | None


def seen(one: Link) -> dict[str, Any]:
    return {"addresses": one.ipv4, "mtu": one.mtu, "up": one.up, "carrier": one.carrier}


def in_terms_of(found: Json | None, wish: Json) -> dict[str, Any] | None:
    """The interface in its wish's terms: an address that others added is theirs.

    Without a carrier its addresses are not there: the renderer took them away and brings them back
    with the carrier. That is the cable's state, or the far node's, and no drift of this interface.
    """
    if found is None:
        return None
    there = found["addresses"] if found["carrier"] else wish["addresses"]
    kept = [one for one in wish["addresses"] if one in there]
    return {"addresses": kept, "mtu": None if wish["mtu"] is None else found["mtu"]}


def phrases(name: str, have: Json | None, wish: Json) -> list[str]:
    """`have` in the wish's terms."""
    if have is None:
        return [f"interface {name} is missing"]
    said = []
    if have["mtu"] != wish["mtu"]:
        said.append(changed(f"MTU of {name}", have["mtu"], wish["mtu"]))
    if have["addresses"] != wish["addresses"]:
        said.append(changed(f"address of {name}", have["addresses"], wish["addresses"]))
    return said


def unmet(found: Mapping[str, Link], wishes: Mapping[str, Json]) -> list[str]:
    """What a link with a cable lacks yet. One without gets its addresses with the cable."""
    return [
        phrase
        for name, wish in wishes.items()
        if name in found and found[name].carrier
        for phrase in phrases(name, in_terms_of(seen(found[name]), wish), wish)
    ]
