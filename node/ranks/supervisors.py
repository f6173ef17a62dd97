"""The supervisors of services on this node, which start ranks again: whoever ends ranks ends them
first, and what starts them at boot."""

from __future__ import annotations

import json
from dataclasses import dataclass

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.paths import SUPERVISION, UNITS_AT_BOOT
from node.host.plain import as_mapping
from node.host.system import System
from node.ranks.rank import UNIT, Kind

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


def list_supervisors(system: System) -> list[SupervisorUnit]:
    """Every service that was given one, whether it runs or not."""
    services = system.list_names(SUPERVISION)
    return [SupervisorUnit(service, _read_token(system, service)) for service in services]


def end_supervisor(system: System, service: str) -> list[str]:
    """It has ended when this returns, and does not come back at boot. Raises StepError."""
    unit = get_supervisor_unit(service)
    system.remove(get_boot_link(service))
    was_active = system.run(["systemctl", "is-active", "--quiet", unit]).code == 0
    # One that has just failed is not active, and would start again.
    result = system.run(["systemctl", "stop", unit], timeout_s=STOP_LIMIT_S)
    if result.code not in (0, NOT_LOADED):
        raise StepError(f"`systemctl stop {unit}` failed: {get_last_line(result)}")
    system.run(["systemctl", "reset-failed", unit])
    return [f"unit {unit}: stopped"] if was_active else []


def restart_supervisors(system: System) -> None:
    """Those that run take up the program that is installed now; no rank notices."""
    for supervisor in list_supervisors(system):
        system.run(["systemctl", "try-restart", supervisor.name], timeout_s=STOP_LIMIT_S)


def _read_token(system: System, service: str) -> str:
    try:
        target = json.loads(system.read(f"{SUPERVISION}/{service}/target.json") or "")
    except ValueError:
        return ""
    return str(as_mapping(target).get("token", ""))
