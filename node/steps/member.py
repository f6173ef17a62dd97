"""One rank of a native service, started as a systemd unit: never a child of a login.

The unit is among the launch's files and not enabled, so that it runs only as one of its group.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from node.changes import members
from node.host import labels
from node.host.system import System
from node.ranks.units import list_units, mark_unit, start_unit
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec


@dataclass(frozen=True)
class Want:
    """`token`: null where the unit does not run."""

    service: str
    token: str | None
    rank: int
    owner: str
    unit: str


@dataclass(frozen=True)
class Observed:
    """`token`: that of the unit that runs for the service that asks, null where none does."""

    token: str | None = None


def observe(system: System, request: StepRequest) -> Observed:
    tokens = [
        unit.token
        for unit in list_units(system)
        if unit.service == request.service and unit.is_running
    ]
    return Observed(tokens[0] if tokens else None)


def narrow(observed: Observed, want: Want) -> Want:
    return replace(want, token=observed.token)


def compare(have: Want, want: Want) -> list[str]:
    return [] if have.token else [f"rank {want.rank} is not running, will be started"]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """Starting a unit that runs already changes nothing. Raises StepError."""
    members.record(manifest, want.service)
    values = {
        labels.SERVICE: want.service,
        labels.RANK: str(want.rank),
        labels.TOKEN: str(want.token),
        labels.OWNER: want.owner,
    }
    mark_unit(manifest.system, want.service, want.unit, values)
    start_unit(manifest.system, want.unit)
    return [f"unit {want.unit}: started"]


SPEC = StepSpec(
    name="member",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    phrase="will be started anew",
)
