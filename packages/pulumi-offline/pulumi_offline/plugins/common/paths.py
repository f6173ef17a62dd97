"""Places inside properties, in Pulumi's notation."""

from __future__ import annotations

import re

PropertyPath = tuple[str | int, ...]
IDENTIFIER = re.compile(r"[A-Za-z0-9_]*")


def format_path(path: PropertyPath) -> str:
    """A path in Pulumi's notation: triggers[0].name, environment["A.b"]."""
    return "".join(format_path_part(item, first=number == 0) for number, item in enumerate(path))


def format_path_part(item: str | int, *, first: bool) -> str:
    if isinstance(item, int):
        return f"[{item}]"
    if not IDENTIFIER.fullmatch(item):
        return '["' + item.replace('"', '\\"') + '"]'
    return item if first else f".{item}"
