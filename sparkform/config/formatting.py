"""How messages write a location in the stack file, cluster.nodes[0].port, and a value."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,63}")
SHOWN_CHARACTERS = 60
LARGEST_SHOWN_INTEGER = 10**16

Location = tuple[str | int, ...]


def format_path(location: Sequence[str | int]) -> str:
    """The path of a location; keys that are no plain words are quoted and cut."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif PLAIN_KEY.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f"[{json.dumps(part[:SHOWN_CHARACTERS])}]"
    return path


def format_value(value: object) -> str:
    """`value` as a message may show it: short, on one line, printable on any terminal."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    if isinstance(value, int) and not -LARGEST_SHOWN_INTEGER < value < LARGEST_SHOWN_INTEGER:
        return "a very large number"
    if not isinstance(value, str | int | float):
        return type(value).__name__
    return _format_scalar(value)


def _format_scalar(value: str | float) -> str:
    cut = value[:SHOWN_CHARACTERS] if isinstance(value, str) else value
    text = json.dumps(cut, ensure_ascii=not str(cut).isprintable())
    is_cut = isinstance(value, str) and len(value) > SHOWN_CHARACTERS
    return f"{text}... ({len(str(value))} characters)" if is_cut else text
