"""Turns text from tools into plain values. Raises nothing but UnreadableFact."""

from __future__ import annotations

import json
import math
import re

from node.facts.reading import UnreadableFact

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def parse_json(text: str, tool: str) -> object:
    """The JSON value in `text`; UnreadableFact names the tool, not the text."""
    try:
        value: object = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise UnreadableFact(f"{tool}: returned invalid JSON") from None
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def to_mapping(value: object) -> dict[str, object]:
    """`value` as a mapping with text keys, empty where it is something else."""
    if not isinstance(value, dict):
        return {}
    return {key: item for key, item in value.items() if isinstance(key, str)}


def to_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def to_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def parse_number(value: object) -> int | None:
    """A whole number, from a JSON number or from digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    return None


def parse_decimal(value: str) -> float | None:
    """A finite number, None for anything else."""
    try:
        parsed = float(value)
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) else None


def parse_assignments(text: str) -> dict[str, str]:
    """KEY=value lines of a shell-like file; quotes are taken off, the last of equal keys wins."""
    values = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and key and not key.startswith("#"):
            values[key.strip()] = value.strip().strip("\"'")
    return values
