"""The GPU's clock limited, by a unit of ours that sets the limit at boot and then each minute.

The driver forgets it when it is loaded anew and does not tell which limit is set. So what is seen
is the unit, and a clock that runs above the limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from node.changes import action, file, gpu_clock, symlink, unit
from node.errors import StepError
from node.host import gpu_clocks
from node.host.daemons import run_checked
from node.host.paths import SYSTEMD_UNITS, UNITS_AT_BOOT
from node.host.system import System
from node.host.typed_json import OMITTED
from node.state.manifest import Manifest
from node.steps import DECLARED, Secrets, StepRequest, StepSpec

UNIT = "sparkform-gpu-clock.service"
UNIT_FILE = f"{SYSTEMD_UNITS}/{UNIT}"
LINK = f"{UNITS_AT_BOOT}/{UNIT}"
START_LIMIT_S = 30
SLACK_MHZ = 30
"""Clocks of a card lie 15 MHz apart (seen on an H200): one above the limit is none of the limit's
doing."""

RUNNING, MISSING, CHANGED, STOPPED = "running", "missing", "changed", "stopped"
_LIMIT = re.compile(r"nvidia-smi -lgc 0,([0-9]+) ", re.ASCII)


@dataclass(frozen=True)
class Want:
    """`exceeding_mhz`: the clock now, where it is above the limit. `refusal`: why the GPU does not
    take this limit."""

    mhz: int | None
    unit: str = RUNNING
    exceeding_mhz: int | None = None
    refusal: str | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class Observed:
    """`asked`: whether the node looked. `mhz`: what the unit sets."""

    asked: bool = False
    unit: str = MISSING
    mhz: int | None = None
    current_mhz: int | None = None
    highest_mhz: int | None = None
    supported_mhz: tuple[int, ...] = ()


def render_unit(mhz: int) -> str:
    command = " ".join(gpu_clocks.build_limit_command(mhz))
    return f"""\
# Written by sparkform; changes are lost.
[Unit]
Description=GPU clock limit of sparkform
After=nvidia-persistenced.service

[Service]
ExecStart=/bin/sh -c 'while :; do o=$$(timeout 20 {command} 2>&1) || echo "$$o"; sleep 60; done'
Restart=always
RestartSec=10
MemoryMax=256M
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""


def observe(system: System, request: StepRequest) -> Observed:
    """Raises StepError where nvidia-smi does not answer."""
    if not request.raw.get(DECLARED):
        return Observed()
    clocks = gpu_clocks.read_clocks(system)
    text = system.read(UNIT_FILE)
    match = _LIMIT.search(text or "")
    mhz = int(match[1]) if match else None
    return Observed(
        asked=True,
        unit=_observe_unit(system, text, mhz),
        mhz=mhz,
        current_mhz=clocks.current_mhz,
        highest_mhz=clocks.highest_mhz,
        supported_mhz=clocks.supported_mhz,
    )


def _observe_unit(system: System, text: str | None, mhz: int | None) -> str:
    if text is None:
        return MISSING
    if mhz is None or text != render_unit(mhz) or system.read_link(LINK) != UNIT_FILE:
        return CHANGED
    return RUNNING if unit.is_active(system, UNIT) else STOPPED


def narrow(observed: Observed, want: Want) -> Want:
    limit = want.mhz or 0
    exceeds = observed.current_mhz is not None and observed.current_mhz > limit + SLACK_MHZ
    return Want(
        mhz=observed.mhz,
        unit=observed.unit,
        exceeding_mhz=observed.current_mhz if exceeds else None,
        refusal=find_refusal(observed, limit),
    )


def find_refusal(observed: Observed, mhz: int) -> str | None:
    """A clock that the card does not have. Where the driver lists none, its highest one counts."""
    supported = observed.supported_mhz
    if not supported:
        highest = observed.highest_mhz
        is_above = highest is not None and mhz > highest
        return f"the GPU has at most {highest} MHz (got {mhz})" if is_above else None
    if mhz in supported:
        return None
    below = [clock for clock in supported if clock < mhz][-1:]
    above = [clock for clock in supported if clock > mhz][:1]
    nearest = " and ".join(str(clock) for clock in [*below, *above])
    return (
        f"the GPU has no such clock (got {mhz}); allowed: what `nvidia-smi -q -d SUPPORTED_CLOCKS` "
        f"lists, {supported[0]} to {supported[-1]}; the nearest: {nearest}"
    )


def find_refusals(have: Want, want: Want) -> list[str]:
    return [f"host.gpuClockMhz: {have.refusal}"] if have.refusal else []


def compare(have: Want, want: Want) -> list[str]:
    refusals = find_refusals(have, want)
    if refusals:
        return refusals
    if have.unit == MISSING:
        return [f"GPU clock is not limited, will be at {want.mhz} MHz"]
    phrases = []
    if have.mhz != want.mhz and have.mhz is not None:
        phrases.append(f"GPU clock limit is {have.mhz} MHz, will be {want.mhz} MHz")
    if have.unit != RUNNING:
        phrases.append(f"unit of the GPU clock limit is {have.unit}, will be started")
    if have.exceeding_mhz is not None:
        phrases.append(f"GPU runs at {have.exceeding_mhz} MHz, will be limited to {want.mhz} MHz")
    return phrases


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    system, mhz = manifest.system, want.mhz or 0
    observed = observe(system, StepRequest(raw={DECLARED: True}))
    have = narrow(observed, want)
    _refuse(have, want)
    if have == want:
        return []
    lines = gpu_clock.limit(manifest, mhz)
    unit.record(manifest, UNIT)
    if system.read(UNIT_FILE) != render_unit(mhz):
        # One that ran with the old text would look like one that runs with the new.
        system.run(["systemctl", "stop", UNIT], timeout_s=START_LIMIT_S)
        action.mark_due(manifest, action.RELOAD_SYSTEMD)
        file.write(manifest, file.FileChange(UNIT_FILE, render_unit(mhz)))
        lines.append(f"{UNIT_FILE}: written")
    lines += symlink.ensure(manifest, LINK, UNIT_FILE)
    lines += action.perform_due(manifest, action.RELOAD_SYSTEMD)
    run_checked(system, ["systemctl", "restart", UNIT], timeout_s=START_LIMIT_S)
    return [*lines, f"{UNIT}: started"]


def _refuse(have: Want, want: Want) -> None:
    refusals = find_refusals(have, want)
    if refusals:
        raise StepError("\n".join(refusals))


SPEC = StepSpec(
    name="gpu_clock",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    find_refusals=find_refusals,
)
