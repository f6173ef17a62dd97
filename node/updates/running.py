"""One run at a time, as a unit of its own: it goes on where the login that started it ends."""

from __future__ import annotations

from dataclasses import dataclass

from node.errors import StepError
from node.host.daemons import run_checked
from node.host.system import System
from node.updates import apt, firmware

UNIT = "sparkform-update.service"
COMMANDS = {"lists": apt.RENEW_LISTS, "packages": apt.RUN, "firmware": firmware.RUN}
PROPERTIES = ("ActiveState", "Result", "ExecMainStatus")
START_LIMIT_S = 30.0


@dataclass(frozen=True)
class RunState:
    """Of the last run. `failure`: the end of its log, where it failed."""

    is_running: bool = False
    failure: str | None = None


def read_run(system: System) -> RunState:
    command = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", UNIT]
    result = run_checked(system, command)
    values = dict(line.split("=", 1) for line in result.out.splitlines() if "=" in line)
    state = values.get("ActiveState")
    if state in ("active", "activating", "deactivating", "reloading"):
        return RunState(is_running=True)
    return RunState(failure=_read_failure(system) if state == "failed" else None)


def _read_failure(system: System) -> str:
    command = [
        "journalctl",
        "--quiet",
        "--no-pager",
        "--output=cat",
        "--lines=20",
        f"--unit={UNIT}",
    ]
    lines = [line.strip() for line in system.run(command).out.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "dpkg:", "Error"))]
    return (errors or lines or ["it printed nothing"])[-1 if not errors else 0][:300]


def start_run(system: System, act: str) -> str:
    """Returns once it runs. A failed one before it is forgotten. Raises StepError."""
    if read_run(system).is_running:
        raise StepError("An update runs on this node already.")
    system.run(["systemctl", "reset-failed", UNIT])
    command = ["systemd-run", f"--unit={UNIT}", "--property=Type=exec", "--no-ask-password"]
    environment = ["--setenv=DEBIAN_FRONTEND=noninteractive", "--setenv=LC_ALL=C"]
    run_checked(
        system,
        [*command, *environment, "/bin/sh", "-c", COMMANDS[act]],
        timeout_s=START_LIMIT_S,
    )
    return f"{act}: started"


def reboot(system: System) -> str:
    """It answers first, and goes down then."""
    run_checked(system, ["systemd-run", "--on-active=2", "systemctl", "reboot"])
    return "reboot: begun"
