"""Folders of a host that a container sees."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sparkform.recipes.recipe import Piece


@dataclass(frozen=True)
class FolderMount:
    """A folder or file of the host, and where the container sees it."""

    source: str
    target: str

    def contains(self, path: str) -> bool:
        """Whether a path of the container lies in it."""
        return f"{path}/".startswith(f"{self.target}/")

    def holds_path_of(self, value: str) -> bool:
        """Whether a value names something below it."""
        return (
            re.search(rf"(^|[\"'=:,\s]){re.escape(self.target)}(/|[\"',\s]|$)", value) is not None
        )


def parse_mount(piece: Piece) -> FolderMount | None:
    """`source:target[:options]`, or `type=bind,source=S,target=T`."""
    value = piece.value or ""
    if piece.kind != "mount":
        return None
    if "=" in value.partition(",")[0]:
        parts = dict(part.partition("=")[::2] for part in value.split(","))
        source = parts.get("source") or parts.get("src") or ""
        target = parts.get("target") or parts.get("destination") or parts.get("dst") or ""
    else:
        source, _, rest = value.partition(":")
        target = rest.partition(":")[0]
    return FolderMount(source.rstrip("/"), target.rstrip("/")) if target.strip("/") else None
