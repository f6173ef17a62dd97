"""A bundle: files with sizes and digests, and what the receiver must know of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from node.errors import StepError
from node.host import typed_json


@dataclass(frozen=True)
class Item:
    """One file: size in bytes, and its digest as node.host.digests writes it."""

    size: int
    digest: str


@dataclass(frozen=True)
class ModelContent:
    """A model at one commit. `links` are its own file names, and where each of them leads."""

    handle: str
    commit: str
    revision: str
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageContent:
    """An image, saved as a file that is removed with the offer."""

    identity: str


@dataclass(frozen=True)
class Bundle:
    """`items` by path below `root`; `model` or `image` says what they are."""

    name: str
    root: str
    items: Mapping[str, Item]
    model: ModelContent | None = None
    image: ImageContent | None = None

    @property
    def bytes(self) -> int:
        return sum(item.size for item in self.items.values())

    @property
    def subject(self) -> str:
        """What a person calls it."""
        return self.model.handle if self.model else self.name

    def to_json(self) -> str:
        return json.dumps(typed_json.to_json(self), sort_keys=True)


def parse_bundle(text: str) -> Bundle:
    """Raises StepError where it is no bundle."""
    try:
        return read_bundle(json.loads(text))
    except ValueError as error:
        raise StepError(f"Cannot read an offer: {error}") from None


def read_bundle(value: object) -> Bundle:
    """Raises StepError where it is no bundle, or a path leads out of the folder."""
    try:
        bundle = typed_json.parse(Bundle, value, "bundle")
    except typed_json.ShapeError as error:
        raise StepError(f"Cannot read an offer: {error}") from None
    for path in bundle.items:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts:
            raise StepError(f"{bundle.name} contains a path that leads out of its folder: {path}")
    return bundle
