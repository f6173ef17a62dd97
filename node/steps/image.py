"""The image of one service on this node: one id on all nodes, under one name.

want.name is what ranks are started from: the layer's name where one is planned, the image's own
where it has a tag, and a name of its own where it is pinned by a digest (node.images.reference).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.changes import process
from node.host.plain import as_mapping
from node.host.system import System
from node.state.manifest import Manifest
from node.steps.model import FetchSource

Json = Mapping[str, Any]
PRESENT = "there"


class Want(TypedDict):
    """`layer` is the text of a Dockerfile, null for none; the source alone builds it."""

    service: str
    image: str
    name: str
    layer: str | None
    source: FetchSource
    state: str


def observe(system: System, request: Json) -> dict[str, Any]:
    """{"images": {name: id}}"""
    from node.images import docker_images

    return {"images": docker_images.list_names(system)}


def compare_with_source(
    observed: Json, name: str, source: str, identity: str | None
) -> dict[str, Any]:
    """What a node has, next to what the node has that it is to be equal to. Pure."""
    images = as_mapping(observed.get("images"))
    own_id = images.get(name)
    if identity is None or own_id in (None, identity):
        return dict(observed)
    return {**observed, "other": {name: f"{_shorten(own_id)}, {source} has {_shorten(identity)}"}}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    differing_id = as_mapping(observed.get("other")).get(want["name"])
    is_present = want["name"] in as_mapping(observed.get("images"))
    return {**want, "state": differing_id or (PRESENT if is_present else "missing")}


def compare(have: Json, want: Json) -> list[str]:
    if have.get("state") == want["state"]:
        return []
    source = want["source"]
    method = "pulled" if source["kind"] == "hub" else f"copied from {source['node']}"
    if want["layer"] and source["kind"] == "hub":
        method = f"built upon {want['image']}"
    return [f"image {want['name']} is {have.get('state')}, will be {method}"]


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    from node.delivery import image as bring

    process.record(manifest)
    if want["source"]["kind"] == "hub":
        return bring.pull_from_registry(manifest, want, secret)
    return bring.receive_from_peer(manifest, want, secret)


def _shorten(identity: object) -> str:
    return str(identity).removeprefix("sha256:")[:12]
