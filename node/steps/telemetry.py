"""The collector of metrics as a systemd unit of its own, which starts with the node.

A newer node program needs no step: the collector sees it and ends, and systemd starts it anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from node.changes import action, container, file, symlink, unit
from node.errors import NoAnswer
from node.host.daemons import run_checked
from node.host.docker_query import DockerUnknown
from node.host.paths import (
    SYSTEMD_UNITS,
    TELEMETRY_CONFIG,
    TELEMETRY_FOLDER,
    UNITS_AT_BOOT,
    ZIPAPP,
)
from node.host.system import System
from node.host.typed_json import OMITTED, to_json
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

UNIT = "sparkform-telemetry.service"
UNIT_FILE = f"{SYSTEMD_UNITS}/{UNIT}"
LINK = f"{UNITS_AT_BOOT}/{UNIT}"
START_LIMIT_S = 60
RUNNING, MISSING, CHANGED, STOPPED = "running", "missing", "changed", "stopped"
UNIT_TEXT = f"""\
# Written by sparkform; changes are lost.
[Unit]
Description=Node metrics of sparkform

[Service]
ExecStart=/usr/bin/python3 {ZIPAPP} collect
RuntimeDirectory={TELEMETRY_FOLDER.rpartition("/")[2]}
RuntimeDirectoryMode=0755
Restart=always
RestartSec=10
Nice=10
MemoryMax=256M
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
RestrictAddressFamilies=AF_UNIX

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Want:
    """What the collector reads, and the state of its unit. `container`: the one that serves what it
    writes, which goes with it; `stopped`: its name where it is there and does not run."""

    interval_s: int
    links: tuple[str, ...]
    disks: Mapping[str, str]
    container: str
    unit: str = RUNNING
    certificates: Mapping[str, str] = field(default_factory=dict)
    stopped: tuple[str, ...] | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class Observed:
    """`config`: its text, which holds no secret; null where there is none. `stopped`: containers
    that do not run, none where Docker does not answer."""

    config: str | None = None
    unit: str = MISSING
    stopped: tuple[str, ...] = ()


def render_config(want: Want) -> str:
    keys = ("interval_s", "links", "disks", "certificates")
    config = {key: getattr(want, key) for key in keys}
    # A want that came over the wire has its keys in another order.
    return json.dumps(to_json(config), indent=1, sort_keys=True) + "\n"


def observe(system: System, request: StepRequest) -> Observed:
    config = system.read(TELEMETRY_CONFIG)
    # A node that nothing was configured on asks Docker nothing.
    stopped = _list_stopped(system) if config is not None else ()
    return Observed(config, _observe_unit(system), stopped)


def _list_stopped(system: System) -> tuple[str, ...]:
    """What is unknown has not stopped: a collector needs no Docker."""
    try:
        return container.list_stopped(system)
    except (DockerUnknown, NoAnswer):
        return ()


def _observe_unit(system: System) -> str:
    text = system.read(UNIT_FILE)
    if text is None:
        return MISSING
    if text != UNIT_TEXT or system.read_link(LINK) != UNIT_FILE:
        return CHANGED
    return RUNNING if unit.is_active(system, UNIT) else STOPPED


def narrow(observed: Observed, want: Want) -> Want:
    """Another configuration is told apart by an interval that none has."""
    stopped = container.select_stopped(observed.stopped, [want.container])
    have = replace(want, unit=observed.unit, stopped=stopped)
    return have if observed.config == render_config(want) else replace(have, interval_s=0)


def compare(have: Want, want: Want) -> list[str]:
    phrases = []
    if have.interval_s != want.interval_s:
        phrases.append("configuration of the collector is missing or changed, will be written")
    if have.unit != want.unit:
        phrases.append(f"collector is {have.unit}, will be started")
    return [*phrases, *container.describe_stopped(have.stopped)]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    container.record(manifest, want.container)
    stopped = container.select_stopped(_list_stopped(manifest.system), [want.container])
    started = container.start(manifest.system, want.container) if stopped else []
    return [*_put_right(manifest, want), *started]


def _put_right(manifest: Manifest, want: Want) -> list[str]:
    """The collector itself."""
    if manifest.system.read(UNIT_FILE) != UNIT_TEXT:
        action.mark_due(manifest, action.RELOAD_SYSTEMD)
    lines = [
        *file.ensure(manifest, TELEMETRY_CONFIG, render_config(want)),
        *file.ensure(manifest, UNIT_FILE, UNIT_TEXT),
        *symlink.ensure(manifest, LINK, UNIT_FILE),
        *action.perform_due(manifest, action.RELOAD_SYSTEMD),
    ]
    if not lines and unit.is_active(manifest.system, UNIT):
        return []
    unit.record(manifest, UNIT)
    run_checked(manifest.system, ["systemctl", "restart", UNIT], timeout_s=START_LIMIT_S)
    return [*lines, f"{UNIT}: started"]


SPEC = StepSpec(
    name="telemetry",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
)
