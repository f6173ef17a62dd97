"""Versions as tools print them, compared. Pure."""

from __future__ import annotations

import re
from itertools import zip_longest

_NUMBERS = re.compile(r"\d+(?:\.\d+)*", re.ASCII)


def is_at_least(version: str, floor: str) -> bool | None:
    """None where `found` holds no version.

    >>> is_at_least("580.142", "580.95"), at_least("1.18.2~rc.1", "1.19"), at_least("13", "13.0")
    (True, False, True)
    """
    version_parts, floor_parts = _parse_parts(version), _parse_parts(floor)
    if not version_parts or not floor_parts:
        return None
    pairs = zip_longest(version_parts, floor_parts, fillvalue=0)
    return next(
        (
            version_part > floor_part
            for version_part, floor_part in pairs
            if version_part != floor_part
        ),
        True,
    )


def _parse_parts(text: str) -> tuple[int, ...]:
    match = _NUMBERS.search(text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
