"""The supervisor of a service on one node, as a unit that starts at boot; the last of its steps.

What it keeps alive lies beside its key in a folder of its own, where it keeps its state. It is
started once the service answers, and ended before anything of the service is (node.ranks.stopping).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Literal

from node.changes import action, file, supervisor, symlink, tree
from node.errors import StepError
from node.host.daemons import run_checked
from node.host.paths import SYSTEMD_UNITS, ZIPAPP
from node.host.system import System
from node.host.typed_json import to_json
from node.ranks.supervisors import get_boot_link, get_supervisor_unit
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec
from node.steps.supervision_key import SECRET
from node.supervision.paths import get_folder, get_key_path, get_target_path
from node.supervision.report import SupervisionReport, read_report
from node.supervision.target import SupervisionTarget

START_LIMIT_S = 90.0
"""Above what systemd waits for a unit that says when it is ready (TimeoutStartSec's default)."""

Supervised = Literal["by nobody", "otherwise", "not at boot", "as wanted"]
"""How a service is: no supervisor runs, or one with another target, key or unit."""


@dataclass(frozen=True)
class Want:
    """`token`: of the run that is kept alive, so that an undo tells it from another."""

    service: str
    token: str
    target: SupervisionTarget
    supervised: Supervised = "as wanted"


@dataclass(frozen=True)
class Observed:
    """`target`, `unit`: digests of the files, null where there is none. `report`: what the
    supervisor itself says, null where the service was given none."""

    target: str | None = None
    unit: str | None = None
    has_key: bool = False
    starts_at_boot: bool = False
    report: SupervisionReport | None = None


def observe(system: System, request: StepRequest) -> Observed:
    service = request.service
    if not service:
        return Observed()
    return Observed(
        file.compute_digest(system.read(get_target_path(service))),
        file.compute_digest(system.read(_get_unit_path(service))),
        bool(system.read(get_key_path(service))),
        system.read_link(get_boot_link(service)) is not None,
        read_report(system, service),
    )


def narrow(observed: Observed, want: Want) -> Want:
    return replace(want, supervised=_judge(observed, want))


def _judge(observed: Observed, want: Want) -> Supervised:
    if observed.report is None or observed.report.is_active is False:
        return "by nobody"
    unit, target = render_unit(want.service), render_target(want.target)
    wanted = (file.compute_digest(target), file.compute_digest(unit), True)
    if (observed.target, observed.unit, observed.has_key) != wanted:
        return "otherwise"
    return "as wanted" if observed.starts_at_boot else "not at boot"


def compare(have: Want, want: Want) -> list[str]:
    phrases = {
        "by nobody": f"service {want.service} is not supervised, will be",
        "otherwise": f"service {want.service} is supervised with other settings, will be set",
        "not at boot": f"the supervisor of {want.service} does not start at boot, will be enabled",
    }
    return [phrases[have.supervised]] if have.supervised in phrases else []


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """A supervisor that runs as wanted goes on. Raises StepError."""
    system, key = manifest.system, secrets.get(SECRET)
    if not key:
        raise StepError("The supervisors' key did not arrive; run `pulumi up` again.")
    unit = get_supervisor_unit(want.service)
    supervisor.record(manifest, want.service)
    tree.make(manifest, get_folder(want.service))
    has_changed = _write(system, get_key_path(want.service), f"{key}\n")
    has_changed |= _write(system, get_target_path(want.service), render_target(want.target))
    has_changed |= _write_unit(manifest, want.service)
    symlink.ensure(manifest, get_boot_link(want.service), _get_unit_path(want.service))
    action.perform_due(manifest, action.RELOAD_SYSTEMD)
    verb = "restart" if has_changed else "start"
    run_checked(system, ["systemctl", verb, unit], timeout_s=START_LIMIT_S)
    return [f"service {want.service}: supervised"]


def _write(system: System, path: str, text: str) -> bool:
    """Root's alone; whether it was another."""
    if system.read(path) == text:
        return False
    system.write(path, text, 0o600)
    return True


def _write_unit(manifest: Manifest, service: str) -> bool:
    path, text = _get_unit_path(service), render_unit(service)
    if manifest.system.read(path) == text:
        return False
    action.mark_due(manifest, action.RELOAD_SYSTEMD)
    file.write(manifest, file.FileChange(path, text))
    return True


def render_target(target: SupervisionTarget) -> str:
    return json.dumps(to_json(target), indent=1) + "\n"


def render_unit(service: str) -> str:
    """It is never given up, and takes part in no order of units but that of the boot. The watchdog
    is above the longest single call, a stop of a container."""
    return f"""# Written by sparkform; changes are lost.
[Unit]
Description=sparkform: supervisor of service {service}
Wants=network-online.target
After=network-online.target docker.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/bin/python3 {ZIPAPP} supervise {service}
Restart=always
RestartSec=5
KillMode=mixed
WatchdogSec=180
TimeoutStopSec=30
SyslogIdentifier=sparkform-supervisor-{service}

[Install]
WantedBy=multi-user.target
"""


def _get_unit_path(service: str) -> str:
    return f"{SYSTEMD_UNITS}/{get_supervisor_unit(service)}"


SPEC = StepSpec(
    name="supervise",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
)
