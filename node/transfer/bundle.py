"""A bundle: files with sizes and digests, and what the receiver must know of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from node.errors import StepError


@dataclass(frozen=True)
class Item:
    """One file: size in bytes, and its digest as node.host.digests writes it."""

    size: int
    digest: str


@dataclass(frozen=True)
class Bundle:
    """`items` by place below `root`; `about` is for the step that receives it."""

    name: str
    root: str
    items: Mapping[str, Item]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(item.size for item in self.items.values())

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def parse_bundle(text: str) -> Bundle:
    return build_from_fields(json.loads(text))


def build_from_fields(fields: dict[str, Any]) -> Bundle:
    """Raises StepError where a path leads out of the folder."""
    items = {path: Item(**item) for path, item in fields.pop("items").items()}
    for path in items:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts:
            raise StepError(
                f"{fields['name']} contains a path that leads out of its folder: {path}"
            )
    return Bundle(items=items, **fields)
