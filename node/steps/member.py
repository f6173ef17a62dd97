"""One rank of a native service, started as a systemd unit: never a child of a login.

want: {"service", "token", "rank", "owner", "unit"}. The unit is among the launch's files and not
enabled, so that it runs only as one of its group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import members as kind
from node.host.daemons import run_checked
from node.host.labels import PREFIX
from node.host.system import System
from node.ranks.rank import RANK_LABELS
from node.ranks.units import list_units, mark_unit
from node.state.manifest import Manifest

START_LIMIT_S = 60
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """`token`: that of the unit that runs for the service that asks, null where none does."""
    service = request.get("service")
    tokens = [
        unit.token for unit in list_units(system) if unit.service == service and unit.is_running
    ]
    return {"token": tokens[0] if tokens else None}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return {**want, "token": observed.get("token")}


def compare(have: Json, want: Json) -> list[str]:
    return [] if have["token"] else [f"rank {want['rank']} is not running, will be started"]


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    """Starting a unit that runs already changes nothing. Raises Refusal."""
    kind.record(manifest, want["service"])
    labels = {label: str(want[label.removeprefix(PREFIX)]) for label in RANK_LABELS}
    mark_unit(manifest.system, want["service"], want["unit"], labels)
    run_checked(manifest.system, ["systemctl", "start", want["unit"]], timeout_s=START_LIMIT_S)
    return [f"unit {want['unit']}: started"]
