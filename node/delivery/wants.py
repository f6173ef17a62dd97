"""What the steps want that bring a model or an image to a node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from node.host.typed_json import key


@dataclass(frozen=True)
class FetchSource:
    """Where it comes from: the hub, or the node `node`, which answers at `addresses` (IPv4).

    `own_addresses` are this node's in the same networks, for those who fetch from it in turn.
    """

    kind: Literal["hub", "peer"]
    node: str
    addresses: tuple[str, ...]
    own_addresses: tuple[str, ...] = field(metadata=key("own"))


@dataclass(frozen=True)
class ModelWant:
    """`revision`: declared, else null and the main branch; `fetch` is what the hub is asked for.
    `cache` is the folder of a Hugging Face cache, `keep` whether the model stays at undo."""

    handle: str
    revision: str | None
    fetch: str
    cache: str
    user: str
    keep: bool
    source: FetchSource
    state: str


@dataclass(frozen=True)
class ImageWant:
    """`layer` is the text of a Dockerfile, null for none; the source alone builds it."""

    service: str
    image: str
    name: str
    layer: str | None
    source: FetchSource
    state: str
