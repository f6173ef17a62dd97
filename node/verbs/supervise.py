"""`supervise SERVICE`: keep a service serving, as a systemd unit on each of its nodes.

What it needs later is imported and read at its start: an upgrade replaces the program under it.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import StepError
from node.host import local_http
from node.host.system import System
from node.ranks import signatures, stages
from node.supervision.supervisor import supervise

PRELOADED = (local_http,)
"""Imported by others only when it is called for."""


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    if len(arguments) != 1:
        raise StepError("usage: supervise SERVICE")
    signatures.load_signatures()
    stages.load_stages()
    return supervise(system, arguments[0])
