"""Where a model or an image comes from, and what a step wants of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Secrets = Mapping[str, str]


@dataclass(frozen=True)
class FetchSource:
    """The hub or registry, or the node `node`, which answers at `addresses` (IPv4).

    `own` are this node's addresses in the same networks, for those who fetch from it in turn.
    """

    kind: Literal["hub", "peer"]
    node: str
    addresses: tuple[str, ...]
    own: tuple[str, ...]


class WantedModel(Protocol):
    """`revision`: declared, else None and the main branch; `fetch` is what the hub is asked for."""

    @property
    def handle(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def fetch(self) -> str: ...
    @property
    def cache(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def source(self) -> FetchSource: ...


class WantedImage(Protocol):
    """`image` is pulled, `layer` (a Dockerfile) built upon it; ranks start from `name`."""

    @property
    def service(self) -> str: ...
    @property
    def image(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def layer(self) -> str | None: ...
    @property
    def source(self) -> FetchSource: ...
