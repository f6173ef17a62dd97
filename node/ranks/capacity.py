"""Whether a node has room for an engine: memory given back, ports free."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TypedDict

from node.errors import StepError
from node.facts import memory, ports
from node.host.system import System
from node.host.waiting import PAUSE_S, wait_until, wait_while

# The driver gives an engine's memory back in pieces after its end.
MEMORY_LIMIT_S = 60.0
STEADY_KIB = 128 * 1024
PORT_LIMIT_S = 10.0
ANY_ADDRESS = ("0.0.0.0", "::", "*")


class PortDemand(TypedDict):
    number: int
    address: str
    purpose: str


def await_memory(system: System) -> None:
    """Wait until available memory stops growing; at most a minute, then the engine's own check
    decides."""
    readings = [read_available_kib(system)]

    def is_steady() -> bool:
        readings.append(read_available_kib(system))
        return readings[-1] - readings[-2] < STEADY_KIB

    time.sleep(PAUSE_S)
    wait_until(is_steady, MEMORY_LIMIT_S)


def require_ports(system: System, port_uses: Iterable[PortDemand]) -> None:
    """Wait until the ports are free. Raises StepError that names who holds which."""
    uses = list(port_uses)
    conflicts = wait_while(lambda: list_conflicts(system, uses), PORT_LIMIT_S)
    if conflicts:
        advice = "`sudo ss -lntp` shows it; end it, or choose another port."
        raise StepError("\n".join(f"P{conflict[1:]}: {advice}" for conflict in conflicts))


def list_conflicts(system: System, port_uses: Iterable[PortDemand]) -> list[str]:
    """Who holds which port, a phrase for each."""
    uses = list(port_uses)
    if not uses:
        return []
    listening = system.run(["ss", "-H", "-l", "-n", "-t", "-u", "-p"]).out
    tcp_sockets = [socket for socket in ports.parse(listening) if socket["protocol"] == "tcp"]
    return [
        f"port {use['number']} ({use['purpose']}) is held by {socket['process'] or 'a process'} "
        f"at {socket['address']}"
        for use in uses
        for socket in tcp_sockets
        if socket["port"] == use["number"] and _is_overlapping(socket["address"], use["address"])
    ]


def _is_overlapping(address: str, other_address: str) -> bool:
    """
    >>> _is_overlapping("*", "10.0.0.1"), _is_overlapping("127.0.0.1", "10.0.0.1")
    (True, False)
    >>> _is_overlapping("10.0.0.1", "0.0.0.0")
    True
    """
    return address == other_address or address in ANY_ADDRESS or other_address in ANY_ADDRESS


def read_available_kib(system: System) -> int:
    """As the kernel counts it; on a Spark the GPU's memory is the same."""
    return memory.parse(system.read("/proc/meminfo") or "", "")["available_kib"]
