"""`upgrade REQUEST`: begin one update of this node. JSON: {"act": "lists", "packages",
"firmware" or "reboot"}; it goes on by itself, and `updates` tells how far it is."""

from __future__ import annotations

import json
from collections.abc import Sequence

from node.errors import StepError
from node.host.plain import as_mapping
from node.host.system import System
from node.updates import running

REBOOT = "reboot"


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """One line. Raises StepError."""
    act = _parse_act(arguments)
    return [running.reboot(system) if act == REBOOT else running.start_run(system, act)]


def _parse_act(arguments: Sequence[str]) -> str:
    try:
        act = str(as_mapping(json.loads(arguments[0])).get("act"))
    except (IndexError, ValueError):
        raise StepError("`upgrade` needs its request as JSON.") from None
    if act not in (*running.COMMANDS, REBOOT):
        raise StepError(f"`upgrade` does not know {act}.")
    return act
