"""The safe end of a start that failed: the engine stopped, its log kept, everything said."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import StepError
from node.host.system import System
from node.ranks import log_archive, members, shared_memory
from node.readiness import peers
from node.readiness.judge import StartFailure
from node.readiness.watch import RankWatch, read_log

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
class EngineEnd:
    """How the engine was ended. `took_s` from the verdict on; `problem` where it would not end.

    `available_gib` is before and after; `freed_bytes` of shared memory were left by the engine.
    """

    took_s: float
    path: str | None
    available_gib: tuple[float, float]
    freed_bytes: int = 0
    problem: str | None = None


def abort(watch: RankWatch, failure: StartFailure) -> StepError:
    """What is to be raised: who, what, why, and what to do."""
    started_s = time.monotonic()
    available_before = read_available_gib(watch.system)
    notifier = threading.Thread(target=peers.notify, args=(watch.channel, watch.target, failure))
    notifier.start()
    problem = _stop_engine(watch)
    took_s = time.monotonic() - started_s
    freed = _free_shared_memory(watch)
    notifier.join()
    read_log(watch, time.monotonic())
    path = _archive_log(watch, failure)
    engine_end = EngineEnd(
        took_s, path, (available_before, read_available_gib(watch.system)), freed, problem
    )
    peers.linger(watch.channel, watch.target)
    return StepError(format_report(watch, failure, engine_end))


def _stop_engine(watch: RankWatch) -> str | None:
    if watch.engine is None or not watch.engine.alive:
        return None
    try:
        members.stop(watch.system, watch.engine)
    except StepError as refusal:
        return str(refusal)
    return None


def _free_shared_memory(watch: RankWatch) -> int:
    if watch.engine is None or not watch.engine.started_s:
        return 0
    return shared_memory.free(watch.system, watch.engine.started_s)


def _archive_log(watch: RankWatch, failure: StartFailure) -> str | None:
    """A disk that is full must not hide why the start failed."""
    header = [f"# {format_title(watch.target.service, failure)}", f"# seen: {failure.symptom}"]
    try:
        return log_archive.write(watch.system, watch.target.service, [*header, *watch.lines])
    except OSError as error:
        watch.report(f"{watch.name}: its log could not be kept: {error}")
        return None


def read_available_gib(system: System) -> float:
    """As the kernel counts it; on a Spark the GPU's memory is the same."""
    match = AVAILABLE.search(system.read("/proc/meminfo") or "")
    return int(match[1]) / GIB_KIB if match else 0.0


def format_report(watch: RankWatch, failure: StartFailure, engine_end: EngineEnd) -> str:
    """The error of the resource. Its last part is the log's end."""
    lines = [
        format_title(watch.target.service, failure),
        f"seen: {failure.symptom[:LONGEST]}",
        *_find_last_error(watch, failure),
        f"what to do: {failure.remedy}",
        _format_ending(watch, engine_end),
        *_format_log(engine_end.path, list(watch.lines)[-QUOTED:]),
    ]
    return "\n".join(lines)


def _find_last_error(watch: RankWatch, failure: StartFailure) -> list[str]:
    """Empty where the symptom says it already."""
    matches = (LAST_ERROR.search(line) for line in reversed(watch.lines))
    errors = (match[0] for match in matches if match and not CONSEQUENCE.search(match[0]))
    last_error = next(errors, failure.symptom)
    return [] if last_error in failure.symptom else [f"last error here: {last_error[:LONGEST]}"]


def format_title(service: str, failure: StartFailure) -> str:
    rule = f", rule {failure.rule}" if failure.rule else ""
    return (
        f"service {service}: rank {failure.rank} on {failure.node}: {failure.what} "
        f"[{failure.id}{rule}]"
    )


def _format_ending(watch: RankWatch, engine_end: EngineEnd) -> str:
    if engine_end.problem:
        return (
            f"The engine on {watch.target.local_rank.node} could not be ended: {engine_end.problem}"
        )
    gib_before, gib_after = engine_end.available_gib
    freed = (
        f"; it had left {engine_end.freed_bytes / MIB:.0f} MiB shared"
        if engine_end.freed_bytes >= MIB
        else ""
    )
    return (
        f"The engine on {watch.target.local_rank.node} was ended within "
        f"{engine_end.took_s:.1f} s; available "
        f"memory was {gib_before:.1f} GiB and is {gib_after:.1f} GiB{freed}."
    )


def _format_log(path: str | None, last_lines: Sequence[str]) -> list[str]:
    if not last_lines:
        return ["It has printed nothing."]
    location = f"Its whole log is kept in {path}" if path else "Its log"
    return [
        f"{location}; the last {len(last_lines)} lines:",
        *(f"  | {line[:LONGEST]}" for line in last_lines),
    ]
