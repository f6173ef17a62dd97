"""Places inside properties, in Pulumi's notation."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]
PLAIN_KEY = re.compile(r"[A-Za-z0-9_]*")


def format_path(path: Path) -> str:
    """A path in Pulumi's notation: triggers[0].name, environment["A.b"]."""
    return "".join(format_step(item, first=number == 0) for number, item in enumerate(path))


def format_step(item: str | int, *, first: bool) -> str:
    if isinstance(item, int):
        return f"[{item}]"
    if not PLAIN_KEY.fullmatch(item):
        return '["' + item.replace('"', '\\"') + '"]'
    return item if first else f".{item}"
