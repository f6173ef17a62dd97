"""Ranks that run as systemd units: one a service and node, read from the journal.

A unit has no labels, so the step that starts it leaves them in a folder of the agent. They outlast
a reboot, as a container's do: the unit, started again, is a rank of the same run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from node.errors import StepError
from node.host.daemons import run_checked
from node.host.paths import MARKS
from node.host.plain import as_mapping
from node.host.system import System
from node.host.waiting import wait_until
from node.ranks.frames import BREAKS
from node.ranks.rank import UNIT, LogLine, Rank, State, parse_labels

PROPERTIES = (
    *("LoadState", "ActiveState", "Result", "ExecMainCode", "ExecMainStatus"),
    *("ExecMainStartTimestamp", "InvocationID", "MemoryCurrent"),
)
STATES: dict[str, State] = {
    "active": "running",
    "activating": "running",
    "reloading": "running",
    "deactivating": "stopping",
}
"""ActiveState to ours; the others (inactive, failed) are of a unit that has ended."""

CURSOR = "-- cursor: "
BY_SIGNAL = ("2", "3")
"""ExecMainCode: CLD_KILLED and CLD_DUMPED of waitid(2); the status is then a signal's number."""

START_LIMIT_S = 60
KILL_LIMIT_S = 30.0
"""As for a container: a killed process is there until the kernel has taken its memory back."""

PAUSE_S = 0.2


def list_units(system: System) -> list[Rank]:
    """Every unit that was started for a service and not taken away since."""
    ranks = (_find_unit(system, service) for service in system.list_names(MARKS))
    return [rank for rank in ranks if rank]


def refresh_unit(system: System, rank: Rank) -> Rank | None:
    """The same run as it is now; None where another has taken its place."""
    unit = _find_unit(system, rank.service)
    return unit if unit and unit.id == rank.id else None


def mark_unit(system: System, service: str, unit: str, labels: Mapping[str, str]) -> None:
    """Say whose unit of a service this is, before it is started."""
    system.path(MARKS).mkdir(parents=True, exist_ok=True)
    system.write(f"{MARKS}/{service}", json.dumps({"unit": unit, **labels}))


def unmark_unit(system: System, service: str) -> None:
    system.remove(f"{MARKS}/{service}")
    system.remove_directory(MARKS)


def parse_unit(unit: str, mark: Mapping[str, object], properties: Mapping[str, str]) -> Rank | None:
    """Of a mark and what `systemctl show` prints. A unit without an invocation never started."""
    labels = parse_labels(mark)
    if labels is None:
        return None
    is_started = properties.get("LoadState") == "loaded" and properties.get("InvocationID")
    state = STATES.get(properties.get("ActiveState", ""), "ended") if is_started else "created"
    status = int(properties.get("ExecMainStatus") or 0)
    by_signal = properties.get("ExecMainCode") in BY_SIGNAL
    return Rank(
        kind=UNIT,
        runtime="native",
        labels=labels,
        name=unit,
        id=properties.get("InvocationID", ""),
        state=state,
        started_s=float(properties.get("ExecMainStartTimestamp", "").lstrip("@") or 0),
        exit_code=status + (128 if by_signal else 0) if state == "ended" else None,
        killed_for_memory=properties.get("Result") == "oom-kill",
    )


def read_log(system: System, rank: Rank, cursor: str) -> list[LogLine]:
    """What this run has printed after `cursor`; "" for all of it."""
    command = ["journalctl", "--quiet", "--no-pager", "--output", "cat", "--show-cursor"]
    after = [f"--after-cursor={cursor}"] if cursor else []
    result = system.run([*command, *after, f"_SYSTEMD_INVOCATION_ID={rank.id}"], timeout_s=30)
    body, _, tail = result.out.rpartition(CURSOR)
    next_cursor = tail.strip() or cursor
    return [LogLine(next_cursor, text) for text in BREAKS.split(body) if text]


def read_memory_bytes(system: System, rank: Rank) -> int | None:
    """What its control group holds."""
    text = _read_properties(system, rank.name).get("MemoryCurrent", "")
    return int(text) if text.isdigit() else None


def start_unit(system: System, unit: str) -> None:
    """Starting a unit that runs already changes nothing. Raises StepError."""
    run_checked(system, ["systemctl", "start", unit], timeout_s=START_LIMIT_S)


def stop_unit(system: System, rank: Rank, grace_s: float) -> None:
    """Gone when this returns: killed after the grace. Raises StepError."""
    system.run(["systemctl", "stop", "--no-block", rank.name])
    if _await_end(system, rank, grace_s):
        return
    system.run(["systemctl", "kill", "--signal=SIGKILL", rank.name])
    if not _await_end(system, rank, KILL_LIMIT_S):
        raise StepError(f"{rank.name} is still running after SIGKILL.")


def remove_unit(system: System, rank: Rank) -> None:
    """A unit that failed stays listed until its state is reset."""
    system.run(["systemctl", "reset-failed", rank.name])
    unmark_unit(system, rank.service)


def _await_end(system: System, rank: Rank, limit_s: float) -> bool:
    def has_ended() -> bool:
        unit = refresh_unit(system, rank)
        return unit is None or unit.has_ended

    return wait_until(has_ended, limit_s, PAUSE_S)


def _find_unit(system: System, service: str) -> Rank | None:
    try:
        mark = as_mapping(json.loads(system.read(f"{MARKS}/{service}") or ""))
    except ValueError:
        return None
    unit = str(mark.get("unit", ""))
    return parse_unit(unit, mark, _read_properties(system, unit)) if unit else None


def _read_properties(system: System, unit: str) -> dict[str, str]:
    names = ",".join(PROPERTIES)
    result = system.run(["systemctl", "show", "--timestamp=unix", f"--property={names}", unit])
    return dict(line.split("=", 1) for line in result.out.splitlines() if "=" in line)
