"""The image of one service on this node: one id on all nodes, under one name.

want.name is what ranks are started from: the layer's name where one is planned, the image's own
where it has a tag, and a name of its own where it is pinned by a digest (node.images.reference).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from node.changes import process
from node.delivery.source import FetchSource
from node.host.system import System
from node.host.typed_json import OMITTED, key
from node.images.reference import shorten_id
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

PRESENT, MISSING = "there", "missing"


@dataclass(frozen=True)
class Want:
    """`layer` is the text of a Dockerfile, null for none; the source alone builds it."""

    service: str
    image: str
    name: str
    layer: str | None
    source: FetchSource
    state: str


@dataclass(frozen=True)
class Observed:
    """`images`: name to id. `mismatches`: how a name's id differs from the source's, which the
    control side adds."""

    images: Mapping[str, str] = field(default_factory=dict)
    mismatches: Mapping[str, str] | None = field(default=None, metadata={**key("other"), **OMITTED})


def observe(system: System, request: StepRequest) -> Observed:
    from node.images import docker_images

    return Observed(docker_images.list_names(system))


def compare_with_source(
    observed: Observed, name: str, source: str, identity: str | None
) -> Observed:
    """What a node has, next to what the node has that it is to be equal to. Pure."""
    node_id = observed.images.get(name)
    if identity is None or node_id in (None, identity):
        return observed
    mismatch = f"{shorten_id(node_id)}, {source} has {shorten_id(identity)}"
    return replace(observed, mismatches={name: mismatch})


def narrow(observed: Observed, want: Want) -> Want:
    mismatch = (observed.mismatches or {}).get(want.name)
    return replace(want, state=mismatch or (PRESENT if want.name in observed.images else MISSING))


def compare(have: Want, want: Want) -> list[str]:
    if have.state == want.state:
        return []
    source = want.source
    method = "pulled" if source.kind == "hub" else f"copied from {source.node}"
    if want.layer and source.kind == "hub":
        method = f"built upon {want.image}"
    return [f"image {want.name} is {have.state}, will be {method}"]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    from node.delivery import image as delivery

    process.record(manifest)
    if want.source.kind == "hub":
        return delivery.pull_from_registry(manifest, want, secrets)
    return delivery.receive_from_peer(manifest, want, secrets)


SPEC = StepSpec(
    name="image",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    holds_lock=False,
)
