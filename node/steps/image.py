"""The image of one service on this node: one id on all nodes, under one name.

want.name is what ranks are started from: the layer's name where one is planned, the image's own
where it has a tag, and a name of its own where it is pinned by a digest (node.images.reference).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.changes import process
from node.host.plain import mapping
from node.host.system import System
from node.state.manifest import Journal
from node.steps.model import Source

Json = Mapping[str, Any]
THERE = "there"


class Want(TypedDict):
    """`layer` is the text of a Dockerfile, null for none; the source alone builds it."""

    service: str
    image: str
    name: str
    layer: str | None
    source: Source
    state: str


def observe(system: System, request: Json) -> dict[str, Any]:
    """{"images": {name: id}}"""
    from node.images import docker_images

    return {"images": docker_images.names(system)}


def beside_source(seen: Json, name: str, source: str, identity: str | None) -> dict[str, Any]:
    """What a node has, next to what the node has that it is to be equal to. Pure."""
    images = mapping(seen.get("images"))
    own = images.get(name)
    if identity is None or own in (None, identity):
        return dict(seen)
    return {**seen, "other": {name: f"{_short(own)}, {source} has {_short(identity)}"}}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    other = mapping(seen.get("other")).get(want["name"])
    is_there = want["name"] in mapping(seen.get("images"))
    return {**want, "state": other or (THERE if is_there else "missing")}


def differences(have: Json, want: Json) -> list[str]:
    if have.get("state") == want["state"]:
        return []
    source = want["source"]
    way = "pulled" if source["kind"] == "hub" else f"copied from {source['node']}"
    if want["layer"] and source["kind"] == "hub":
        way = f"built upon {want['image']}"
    return [f"image {want['name']} is {have.get('state')}, will be {way}"]


def disturbs(have: Json, want: Json) -> str:
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    from node.delivery import image as bring

    process.remember(journal)
    if want["source"]["kind"] == "hub":
        return bring.from_registry(journal, want, secret)
    return bring.from_peer(journal, want, secret)


def _short(identity: object) -> str:
    return str(identity).removeprefix("sha256:")[:12]
