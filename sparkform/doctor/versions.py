"""Versions as tools print them, compared. Pure."""

from __future__ import annotations

import re
from itertools import zip_longest

_NUMBERS = re.compile(r"\d+(?:\.\d+)*", re.ASCII)


def at_least(found: str, floor: str) -> bool | None:
    """None where `found` holds no version.

    >>> at_least("580.142", "580.95"), at_least("1.18.2~rc.1", "1.19"), at_least("13", "13.0")
    (True, False, True)
    """
    have, need = _parts(found), _parts(floor)
    if not have or not need:
        return None
    pairs = zip_longest(have, need, fillvalue=0)
    return next((mine > other for mine, other in pairs if mine != other), True)


def _parts(text: str) -> tuple[int, ...]:
    match = _NUMBERS.search(text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
