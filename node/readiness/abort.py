"""The safe end of a start that failed: the engine stopped, its log kept, everything said."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import Refusal
from node.host.system import System
from node.ranks import log_archive, members, shared_memory
from node.readiness import peers
from node.readiness.judge import Failure
from node.readiness.watch import Watch, read_log

QUOTED = 30
LONGEST = 500
"""Characters of a quoted line: engines print their whole configuration as one."""

GIB_KIB = 2**20
MIB = 2**20
LAST_ERROR = re.compile(r"\b[A-Za-z_][\w.]*(Error|Exception|Refusal): \S.*")
"""The last line of a Python traceback: what is behind a rank that died says it there."""

CONSEQUENCE = re.compile(r"EngineDeadError|root cause")
"""Errors that only say that there was another one (vllm/v1/engine/exceptions.py, utils.py)."""

AVAILABLE = re.compile(r"^MemAvailable:\s+([0-9]+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Ended:
    """How the engine was ended. `took_s` from the verdict on; `problem` where it would not end.

    `available_gib` is before and after; `freed_bytes` of shared memory were left by the engine.
    """

    took_s: float
    path: str | None
    available_gib: tuple[float, float]
    freed_bytes: int = 0
    problem: str | None = None


def abort(watch: Watch, failure: Failure) -> Refusal:
    """What is to be raised: who, what, why, and what to do."""
    began = time.monotonic()
    before = available_gib(watch.system)
    telling = threading.Thread(target=peers.tell, args=(watch.channel, watch.wanted, failure))
    telling.start()
    problem = _stop(watch)
    took_s = time.monotonic() - began
    freed = _free(watch)
    telling.join()
    read_log(watch, time.monotonic())
    path = _keep(watch, failure)
    ended = Ended(took_s, path, (before, available_gib(watch.system)), freed, problem)
    peers.linger(watch.channel, watch.wanted)
    return Refusal(report(watch, failure, ended))


def _stop(watch: Watch) -> str | None:
    if watch.engine is None or not watch.engine.alive:
        return None
    try:
        members.stop(watch.system, watch.engine)
    except Refusal as refusal:
        return str(refusal)
    return None


def _free(watch: Watch) -> int:
    if watch.engine is None or not watch.engine.started_s:
        return 0
    return shared_memory.free(watch.system, watch.engine.started_s)


def _keep(watch: Watch, failure: Failure) -> str | None:
    """A disk that is full must not hide why the start failed."""
    head = [f"# {title(watch.wanted.service, failure)}", f"# seen: {failure.symptom}"]
    try:
        return log_archive.write(watch.system, watch.wanted.service, [*head, *watch.lines])
    except OSError as error:
        watch.tell(f"{watch.name}: its log could not be kept: {error}")
        return None


def available_gib(system: System) -> float:
    """As the kernel counts it; on a Spark the GPU's memory is the same."""
    found = AVAILABLE.search(system.read("/proc/meminfo") or "")
    return int(found[1]) / GIB_KIB if found else 0.0


def report(watch: Watch, failure: Failure, ended: Ended) -> str:
    """The error of the resource. Its last part is the log's end."""
    lines = [
        title(watch.wanted.service, failure),
        f"seen: {failure.symptom[:LONGEST]}",
        *_last_error(watch, failure),
        f"what to do: {failure.remedy}",
        _ending(watch, ended),
        *_log(ended.path, list(watch.lines)[-QUOTED:]),
    ]
    return "\n".join(lines)


def _last_error(watch: Watch, failure: Failure) -> list[str]:
    """Empty where the symptom says it already."""
    found = (LAST_ERROR.search(line) for line in reversed(watch.lines))
    errors = (one[0] for one in found if one and not CONSEQUENCE.search(one[0]))
    last = next(errors, failure.symptom)
    return [] if last in failure.symptom else [f"last error here: {last[:LONGEST]}"]


def title(service: str, failure: Failure) -> str:
    rule = f", rule {failure.rule}" if failure.rule else ""
    return (
        f"service {service}: rank {failure.rank} on {failure.node}: {failure.what} "
        f"[{failure.id}{rule}]"
    )


def _ending(watch: Watch, ended: Ended) -> str:
    if ended.problem:
        return f"The engine on {watch.wanted.here.node} could not be ended: {ended.problem}"
    before, after = ended.available_gib
    left = (
        f"; it had left {ended.freed_bytes / MIB:.0f} MiB shared"
        if ended.freed_bytes >= MIB
        else ""
    )
    return (
        f"The engine on {watch.wanted.here.node} was ended within {ended.took_s:.1f} s; available "
        f"memory was {before:.1f} GiB and is {after:.1f} GiB{left}."
    )


def _log(path: str | None, last: Sequence[str]) -> list[str]:
    if not last:
        return ["It has printed nothing."]
    where = f"Its whole log is kept in {path}" if path else "Its log"
    return [f"{where}; the last {len(last)} lines:", *(f"  | {line[:LONGEST]}" for line in last)]
