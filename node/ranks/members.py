"""All ranks of a service on this node, whatever runs them."""

from __future__ import annotations

from types import ModuleType

from node.host.system import System
from node.ranks import containers, units
from node.ranks.running import Engine, Line

KINDS: dict[str, ModuleType] = {"container": containers, "unit": units}


def find(system: System, service: str) -> list[Engine]:
    return [*containers.find(system, service), *units.find(system, service)]


def look(system: System, engine: Engine) -> Engine | None:
    """The same run as it is now; None where it is gone or another has taken its place."""
    found: Engine | None = KINDS[engine.kind].look(system, engine)
    return found


def read_log(system: System, engine: Engine, cursor: str = "") -> list[Line]:
    """What it has printed after `cursor`."""
    found: list[Line] = KINDS[engine.kind].read_log(system, engine, cursor)
    return found


def memory_bytes(system: System, engine: Engine) -> int | None:
    found: int | None = KINDS[engine.kind].memory_bytes(system, engine)
    return found


def stop(system: System, engine: Engine) -> None:
    """Gone when this returns. Raises Refusal."""
    KINDS[engine.kind].stop(system, engine)
