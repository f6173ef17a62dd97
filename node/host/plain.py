"""JSON and YAML values of unknown form, looked into without surprises. Pure."""

from __future__ import annotations

from typing import Any


def as_mapping(value: object) -> dict[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []
