"""`supervise SERVICE`: keep a service serving, as a systemd unit on each of its nodes.

Whatever it may need later is imported here: an upgrade replaces the program under it.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import StepError
from node.host import local_http
from node.host.system import System
from node.ranks import signatures, stages
from node.readiness.starting import read_api_key
from node.supervision.rank_watch import build_watch_target
from node.supervision.supervisor import supervise
from node.supervision.target import SupervisionTarget, read_key, read_target

PRELOADED = (local_http,)
"""Imported by others only when it is called for."""


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    if len(arguments) != 1:
        raise StepError("usage: supervise SERVICE")
    target = read_target(system, arguments[0])
    signatures.load_signatures()
    stages.load_stages()
    key = read_key(system, target.service)
    return supervise(system, target, key, _read_api_key(system, target))


def _read_api_key(system: System, target: SupervisionTarget) -> str | None:
    local = target.local_rank
    return read_api_key(system, build_watch_target(target, local)) if local else None
