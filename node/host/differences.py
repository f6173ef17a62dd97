"""How a value that differs is said: the same words in preview, in `up` and in `doctor`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def shown(value: object) -> str:
    """
    >>> shown(None), shown(["a", "b"]), shown(True), shown(9000)
    ('unset', 'a, b', 'yes', '9000')
    """
    if value is None or value == []:
        return "unset"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    return str(value)


def changed(name: str, have: object, want: object) -> str:
    """
    >>> changed("NCCL_IB_DISABLE", "1", "0")
    'NCCL_IB_DISABLE is 1, will be 0'
    """
    return f"{name} is {shown(have)}, will be {shown(want)}"


def changes(have: Mapping[str, Any], want: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """One phrase for each of these names whose values differ."""
    return [
        changed(name, have.get(name), want[name])
        for name in names
        if name in want and have.get(name) != want[name]
    ]
