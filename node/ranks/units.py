"""Ranks that run as systemd units: one a service and node, read from the journal."""

from __future__ import annotations

import time

from node.errors import StepError
from node.host.system import System
from node.ranks.frames import BREAKS
from node.ranks.running import Engine, Line

PROPERTIES = (
    *("LoadState", "ActiveState", "Result", "ExecMainCode", "ExecMainStatus"),
    *("ExecMainStartTimestamp", "InvocationID", "MemoryCurrent"),
)
ALIVE = ("active", "activating", "reloading", "deactivating")
CURSOR = "-- cursor: "
BY_SIGNAL = ("2", "3")
"""ExecMainCode: CLD_KILLED and CLD_DUMPED of waitid(2); the status is then a signal's number."""

STOP_GRACE_S = 2.0
KILL_LIMIT_S = 5.0
PAUSE_S = 0.2


def get_unit_name(service: str) -> str:
    return f"sparkform-{service}.service"


def find(system: System, service: str) -> list[Engine]:
    """The service's unit, if it has run since the node booted; empty without one."""
    found = _show(system, get_unit_name(service))
    if found.get("LoadState") != "loaded" or not found.get("InvocationID"):
        return []
    return [parse(service, found)]


def look(system: System, engine: Engine) -> Engine | None:
    """The same run as it is now; None where another has taken its place."""
    found = find(system, engine.service)
    return found[0] if found and found[0].handle == engine.handle else None


def parse(service: str, found: dict[str, str]) -> Engine:
    status = int(found.get("ExecMainStatus") or 0)
    by_signal = found.get("ExecMainCode") in BY_SIGNAL
    alive = found.get("ActiveState") in ALIVE
    return Engine(
        kind="unit",
        service=service,
        name=get_unit_name(service),
        handle=found["InvocationID"],
        rank=None,
        token=None,
        alive=alive,
        started_s=float(found.get("ExecMainStartTimestamp", "").lstrip("@") or 0),
        exit_code=None if alive else status + (128 if by_signal else 0),
        killed_for_memory=found.get("Result") == "oom-kill",
    )


def read_log(system: System, engine: Engine, cursor: str) -> list[Line]:
    """What this run has printed after `cursor`; "" for all of it."""
    command = ["journalctl", "--quiet", "--no-pager", "--output", "cat", "--show-cursor"]
    after = [f"--after-cursor={cursor}"] if cursor else []
    run = f"_SYSTEMD_INVOCATION_ID={engine.handle}"
    said = system.run([*command, *after, run], timeout_s=30)
    body, _, tail = said.out.rpartition(CURSOR)
    here = tail.strip() or cursor
    texts = [part for part in BREAKS.split(body) if part]
    return [Line(here, text) for text in texts]


def memory_bytes(system: System, engine: Engine) -> int | None:
    """What its control group holds."""
    text = _show(system, engine.name).get("MemoryCurrent", "")
    return int(text) if text.isdigit() else None


def stop(system: System, engine: Engine) -> None:
    """Gone when this returns. Raises Refusal where systemd cannot do it."""
    system.run(["systemctl", "stop", "--no-block", engine.name])
    if _is_gone(system, engine, STOP_GRACE_S):
        return
    system.run(["systemctl", "kill", "--signal=SIGKILL", engine.name])
    if not _is_gone(system, engine, KILL_LIMIT_S):
        raise StepError(f"{engine.name} does not end, even after SIGKILL.")


def _is_gone(system: System, engine: Engine, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while (now := look(system, engine)) is not None and now.alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_S)
    return True


def _show(system: System, unit: str) -> dict[str, str]:
    names = ",".join(PROPERTIES)
    said = system.run(["systemctl", "show", "--timestamp=unix", f"--property={names}", unit])
    return dict(line.split("=", 1) for line in said.out.splitlines() if "=" in line)
