"""What a rank needs and the node lacks, held against what it had while the service served."""

from __future__ import annotations

from collections.abc import Iterable

from node.facts.reading import UnreadableFact
from node.host.paths import STATE
from node.host.system import System
from node.ranks import capacity
from node.ranks.capacity import PortDemand
from node.supervision.state import LearnedValues

GPUS = "/proc/driver/nvidia/gpus"
RDMA_PORTS = "/sys/class/infiniband"
ACTIVE = "4: ACTIVE"
SMALLEST_ROOM_BYTES = 64 * 2**20
"""A rank writes little; a supervisor must be able to write its state."""


def find_lack(system: System, learned: LearnedValues, address: str) -> str | None:
    """In words that stand behind the node's name; None where all is there. `address`: where the
    node listens, which a router that boots more slowly may not have given yet."""
    gpus, ports = list_gpus(system), list_active_ports(system)
    missing_gpus = _subtract(learned.gpus, gpus)
    if missing_gpus:
        return f"GPU {', '.join(missing_gpus)} is gone"
    missing_ports = _subtract(learned.rdma_ports, ports)
    if missing_ports:
        return f"RDMA port {', '.join(missing_ports)} is down"
    if not system.has_address(address):
        return f"address {address} is not there"
    if system.get_free_bytes(STATE) < SMALLEST_ROOM_BYTES:
        return f"the disk of {STATE} is full"
    return None


def find_taken_port(system: System, uses: Iterable[PortDemand]) -> str | None:
    """Who holds a port of a rank that does not run; None also where the sockets cannot be read:
    then the engine's own line says it."""
    try:
        return next(iter(capacity.list_conflicts(system, uses)), None)
    except UnreadableFact:
        return None


def list_gpus(system: System) -> tuple[str, ...]:
    """By PCI address."""
    return tuple(system.list_names(GPUS))


def list_active_ports(system: System) -> tuple[str, ...]:
    return tuple(
        f"{device}/{port}"
        for device in system.list_names(RDMA_PORTS)
        for port in system.list_names(f"{RDMA_PORTS}/{device}/ports")
        if (system.read(f"{RDMA_PORTS}/{device}/ports/{port}/state") or "").startswith(ACTIVE)
    )


def _subtract(wanted: Iterable[str], have: Iterable[str]) -> list[str]:
    return sorted(set(wanted) - set(have))
