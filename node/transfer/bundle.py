"""What is sent: files with sizes and digests, and what the receiver must know of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from node.errors import Refusal


@dataclass(frozen=True)
class Item:
    """One file: bytes, and its digest as node.digests writes it."""

    size: int
    digest: str


@dataclass(frozen=True)
class Parcel:
    """`items` by place below `root`; `about` is for the step that receives it."""

    name: str
    root: str
    items: Mapping[str, Item]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(item.size for item in self.items.values())

    def to_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def parse(text: str) -> Parcel:
    return made(json.loads(text))


def made(stored: dict[str, Any]) -> Parcel:
    """Raises Refusal where a place would lead out of the folder that it is for."""
    items = {place: Item(**item) for place, item in stored.pop("items").items()}
    for place in items:
        parts = PurePosixPath(place).parts
        if not parts or place.startswith("/") or ".." in parts:
            raise Refusal(f"{stored['name']} holds a file that leads out of its folder: {place}")
    return Parcel(items=items, **stored)
