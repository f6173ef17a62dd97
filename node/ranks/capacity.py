"""Whether a node has room for an engine: memory that has come back, ports that nobody holds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from node.errors import Refusal
from node.facts import memory, ports
from node.host.plain import listing, mapping
from node.host.system import System

# The driver gives an engine's memory back in pieces after its end.
MEMORY_LIMIT_S = 60.0
STILL_KIB = 128 * 1024
PORT_LIMIT_S = 10.0
PAUSE_S = 0.5
EVERYWHERE = ("0.0.0.0", "::", "*")


def await_memory(system: System) -> None:
    """Until available memory grows no more; at most a minute, after which the engine's own check
    decides."""
    deadline, before = time.monotonic() + MEMORY_LIMIT_S, _available_kib(system)
    while time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        now = _available_kib(system)
        if now - before < STILL_KIB:
            return
        before = now


def require_ports(system: System, wanted: Iterable[Mapping[str, Any]]) -> None:
    """Raises Refusal that names who holds which. `wanted`: number, address and purpose of each."""
    deadline, uses = time.monotonic() + PORT_LIMIT_S, list(wanted)
    while held := _held(system, uses):
        if time.monotonic() > deadline:
            raise Refusal("\n".join(held))
        time.sleep(PAUSE_S)


def _held(system: System, wanted: list[Mapping[str, Any]]) -> list[str]:
    if not wanted:
        return []
    listening = system.run(["ss", "-H", "-l", "-n", "-t", "-u", "-p"]).out
    sockets = [mapping(one) for one in listing(ports.parse(listening))]
    found = [one for one in sockets if one.get("protocol") == "tcp"]
    return [
        f"Port {use['number']} ({use['purpose']}) is held by {one.get('process') or 'somebody'} "
        f"at {one.get('address')}: `sudo ss -lntp` shows it; end it, or choose another port."
        for use in wanted
        for one in found
        if one.get("port") == use["number"] and _meet(str(one.get("address")), use["address"])
    ]


def _meet(one: str, other: str) -> bool:
    """
    >>> _meet("*", "10.0.0.1"), _meet("127.0.0.1", "10.0.0.1"), _meet("10.0.0.1", "0.0.0.0")
    (True, False, True)
    """
    return one == other or one in EVERYWHERE or other in EVERYWHERE


def _available_kib(system: System) -> int:
    found = mapping(memory.parse(system.read("/proc/meminfo") or "", ""))
    available = found.get("available_kib")
    return available if isinstance(available, int) else 0
