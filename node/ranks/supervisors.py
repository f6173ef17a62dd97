"""The supervisors of services on this node, which start ranks again: whoever ends ranks ends them
first, and what starts them at boot."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.paths import SUPERVISION, UNITS_AT_BOOT
from node.host.plain import as_mapping
from node.host.system import System
from node.ranks.rank import UNIT, Kind

DRAIN_SPARE_S, DRAIN_PAUSE_S = 15.0, 0.5
STOP_LIMIT_S = 60.0
"""Above the unit's own TimeoutStopSec, after which systemd kills it."""

NOT_LOADED = 5
"""What systemctl(1) ends with where there is no such unit."""


@dataclass(frozen=True)
class SupervisorUnit:
    """One service's. `token`: of the run that it keeps alive; empty where that cannot be read."""

    service: str
    token: str
    kind: Kind = UNIT

    @property
    def name(self) -> str:
        return get_supervisor_unit(self.service)


def get_supervisor_unit(service: str) -> str:
    """No service's own unit is called so: its name holds no @.

    >>> get_supervisor_unit("qwen")
    'sparkform-supervisor@qwen.service'
    """
    return f"sparkform-supervisor@{service}.service"


def get_boot_link(service: str) -> str:
    """The link by which systemd starts it at boot."""
    return f"{UNITS_AT_BOOT}/{get_supervisor_unit(service)}"


def get_drain_path(service: str) -> str:
    """Whoever is about to end the ranks makes this file; the supervisor of rank 0 removes it once
    the gateway sends no more requests and those under way are over."""
    return f"{SUPERVISION}/{service}/drain"


def list_supervisors(system: System) -> list[SupervisorUnit]:
    """Every service that was given one, whether it runs or not."""
    services = system.list_names(SUPERVISION)
    return [SupervisorUnit(service, _read_token(system, service)) for service in services]


def end_supervisor(system: System, service: str) -> list[str]:
    """It has ended when this returns, and does not come back at boot. Raises StepError."""
    unit = get_supervisor_unit(service)
    system.remove(get_boot_link(service))
    was_active = _is_active(system, unit)
    if was_active:
        _drain(system, service)
    # One that has just failed is not active, and would start again.
    result = system.run(["systemctl", "stop", unit], timeout_s=STOP_LIMIT_S)
    if result.code not in (0, NOT_LOADED):
        raise StepError(f"`systemctl stop {unit}` failed: {get_last_line(result)}")
    system.run(["systemctl", "reset-failed", unit])
    return [f"unit {unit}: stopped"] if was_active else []


def _drain(system: System, service: str) -> None:
    """Requests that a gateway has sent may end, for as long as its target says."""
    limit_s = _read_drain_limit(system, service)
    if limit_s is None:
        return
    path, ends_s = get_drain_path(service), time.monotonic() + limit_s + DRAIN_SPARE_S
    system.write(path, "")
    while system.get_state(path) is not None and time.monotonic() < ends_s:
        if not _is_active(system, get_supervisor_unit(service)):
            break
        time.sleep(DRAIN_PAUSE_S)
    system.remove(path)


def _is_active(system: System, unit: str) -> bool:
    return system.run(["systemctl", "is-active", "--quiet", unit]).code == 0


def _read_drain_limit(system: System, service: str) -> float | None:
    """None where no gateway asks this node's supervisor."""
    target = _read_target(system, service)
    ranks = target.get("ranks")
    first = next(iter(ranks), None) if isinstance(ranks, list) else None
    limit_s = as_mapping(target.get("gateway")).get("drain_s")
    is_first = as_mapping(first).get("node") == target.get("node")
    return float(limit_s) if is_first and isinstance(limit_s, int | float) else None


def restart_supervisors(system: System) -> None:
    """Those that run take up the program that is installed now; no rank notices."""
    for supervisor in list_supervisors(system):
        system.run(["systemctl", "try-restart", supervisor.name], timeout_s=STOP_LIMIT_S)


def _read_token(system: System, service: str) -> str:
    return str(_read_target(system, service).get("token", ""))


def _read_target(system: System, service: str) -> Mapping[str, object]:
    """Empty where there is none that can be read."""
    try:
        target = json.loads(system.read(f"{SUPERVISION}/{service}/target.json") or "")
    except ValueError:
        return {}
    return as_mapping(target)
