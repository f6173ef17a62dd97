"""One rank of a native service, started as a systemd unit: never a child of a login.

want: {"service", "token", "rank", "owner", "unit"}. The unit is among the launch's files and not
enabled, so that it runs only as one of its group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import members as kind
from node.host.daemons import must
from node.host.labels import PREFIX
from node.host.system import System
from node.ranks import service_objects
from node.state.manifest import Journal

START_LIMIT_S = 60
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """`token`: that of the unit that runs for the service that asks, null where none does."""
    service = request.get("service")
    found = [one for one in service_objects.units(system) if one.service == service and one.alive]
    return {"token": found[0].token if found else None}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    return {**want, "token": seen.get("token")}


def differences(have: Json, want: Json) -> list[str]:
    return [] if have["token"] else [f"rank {want['rank']} is not running, will be started"]


def disturbs(have: Json, want: Json) -> str:
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    """Starting a unit that runs already changes nothing. Raises Refusal."""
    kind.remember(journal, want["service"])
    labels = {one: str(want[one.removeprefix(PREFIX)]) for one in service_objects.OF_A_RANK}
    service_objects.mark(journal.system, want["service"], want["unit"], labels)
    must(journal.system, ["systemctl", "start", want["unit"]], timeout_s=START_LIMIT_S)
    return [f"unit {want['unit']}: started"]
