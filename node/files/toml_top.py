"""One top-level key of a TOML file, by lines: below the first table it would belong to it. Pure.

Python 3.10 has no TOML parser, and no parser writes comments back, so the lines themselves are
edited. The text before the first `[table]` line is what TOML calls top level.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from node.files import lines


def get_value(text: str | None, key: str) -> str | None:
    """The key's string value at top level; None where it is not set there."""
    for line in _select_top_level(lines.split_lines(text)):
        match = re.match(rf'\s*{re.escape(key)}\s*=\s*(["\'])(.*?)\1', line)
        if match:
            return match.group(2)
    return None


def plan_edit(text: str | None, key: str, value: str) -> list[lines.LineEdit]:
    """The edit that sets the key, in the place of a line that has it, commented out or not; none
    where the key has that value already."""
    if get_value(text, key) == value:
        return []
    all_lines, new = lines.split_lines(text), f'{key} = "{value}"'
    top = _select_top_level(all_lines)
    for pattern in (rf"\s*{re.escape(key)}\s*=", rf"\s*#\s*{re.escape(key)}\s*="):
        for index, line in enumerate(top):
            if re.match(pattern, line):
                return [lines.plan_replacement(all_lines, index, new)]
    return [lines.plan_addition(new + "\n", follows=top[-1] if top else lines.TOP)]


def _select_top_level(all_lines: Sequence[str]) -> list[str]:
    for index, line in enumerate(all_lines):
        if line.lstrip().startswith("["):
            return list(all_lines[:index])
    return list(all_lines)
