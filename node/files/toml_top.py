"""One top-level key of a TOML file, by lines: a key below the first table would belong to it. Pure.

Python 3.10 has no TOML reader, and no reader writes back comments, so the lines themselves are
edited. The text before the first `[table]` line is what TOML calls top level.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from node.files import lines


def find(text: str | None, key: str) -> str | None:
    """The key's string value at top level; None where it is not set there."""
    for line in _top(lines.split(text)):
        found = re.match(rf'\s*{re.escape(key)}\s*=\s*(["\'])(.*?)\1', line)
        if found:
            return found.group(2)
    return None


def edit(text: str | None, key: str, value: str) -> list[lines.Edit]:
    """No edit where it says so already. A line that has it commented out is where it belongs."""
    if find(text, key) == value:
        return []
    found, new = lines.split(text), f'{key} = "{value}"'
    top = _top(found)
    for pattern in (rf"\s*{re.escape(key)}\s*=", rf"\s*#\s*{re.escape(key)}\s*="):
        for index, line in enumerate(top):
            if re.match(pattern, line):
                return [lines.replaced(found, index, new)]
    return [lines.added(new + "\n", follows=top[-1] if top else lines.TOP)]


def _top(found: Sequence[str]) -> list[str]:
    for index, line in enumerate(found):
        if line.lstrip().startswith("["):
            return list(found[:index])
    return list(found)
