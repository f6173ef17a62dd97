"""Whether a node has room for an engine: memory that has come back, ports that nobody holds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from node.errors import StepError
from node.facts import memory, ports
from node.host.plain import as_list, as_mapping
from node.host.system import System

# The driver gives an engine's memory back in pieces after its end.
MEMORY_LIMIT_S = 60.0
STEADY_KIB = 128 * 1024
PORT_LIMIT_S = 10.0
PAUSE_S = 0.5
ANY_ADDRESS = ("0.0.0.0", "::", "*")


def await_memory(system: System) -> None:
    """Until available memory grows no more; at most a minute, after which the engine's own check
    decides."""
    deadline, available_before = time.monotonic() + MEMORY_LIMIT_S, _read_available_kib(system)
    while time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        available_now = _read_available_kib(system)
        if available_now - available_before < STEADY_KIB:
            return
        available_before = available_now


def require_ports(system: System, port_uses: Iterable[Mapping[str, Any]]) -> None:
    """Raises StepError that names who holds which. A use: number, address and purpose."""
    deadline, uses = time.monotonic() + PORT_LIMIT_S, list(port_uses)
    while conflicts := _list_conflicts(system, uses):
        if time.monotonic() > deadline:
            raise StepError("\n".join(conflicts))
        time.sleep(PAUSE_S)


def _list_conflicts(system: System, uses: list[Mapping[str, Any]]) -> list[str]:
    if not uses:
        return []
    listening = system.run(["ss", "-H", "-l", "-n", "-t", "-u", "-p"]).out
    sockets = [as_mapping(socket) for socket in as_list(ports.parse(listening))]
    tcp_sockets = [socket for socket in sockets if socket.get("protocol") == "tcp"]
    return [
        f"Port {use['number']} ({use['purpose']}) is held by {socket.get('process') or 'somebody'} "
        f"at {socket.get('address')}: `sudo ss -lntp` shows it; end it, or choose another port."
        for use in uses
        for socket in tcp_sockets
        if socket.get("port") == use["number"]
        and _overlaps(str(socket.get("address")), use["address"])
    ]


def _overlaps(address: str, other_address: str) -> bool:
    """
    >>> _overlaps("*", "10.0.0.1"), _overlaps("127.0.0.1", "10.0.0.1")
    (True, False)
    >>> _overlaps("10.0.0.1", "0.0.0.0")
    True
    """
    return address == other_address or address in ANY_ADDRESS or other_address in ANY_ADDRESS


def _read_available_kib(system: System) -> int:
    fields = as_mapping(memory.parse(system.read("/proc/meminfo") or "", ""))
    available = fields.get("available_kib")
    return available if isinstance(available, int) else 0
