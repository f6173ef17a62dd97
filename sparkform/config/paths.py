"""How a place in the stack file is written: cluster.nodes[0].port."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from sparkform.config.shape import SHOWN_CHARACTERS

PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,63}")

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
