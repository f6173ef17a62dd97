"""The error of a start that failed, as the resource shows it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from node.readiness.failure import StartFailure, format_title

QUOTED = 30
LONGEST = 500
"""Characters of a quoted line: engines print their whole configuration as one."""

MIB = 2**20
LAST_ERROR = re.compile(r"\b[A-Za-z_][\w.]*(Error|Exception|Refusal): \S.*")
"""The last line of a Python traceback: what is behind a rank that died says it there."""

CONSEQUENCE = re.compile(r"EngineDeadError|root cause")
"""Errors that only say that there was another one (vllm/v1/engine/exceptions.py, utils.py)."""


@dataclass(frozen=True)
class EngineEnd:
    """How the engine on `node` was stopped. `took_s` from the verdict on; `problem` where it could
    not be.

    `path` is that of the kept log. `available_gib` is memory before and after; `freed_bytes` of
    shared memory were left by the engine.
    """

    node: str
    took_s: float
    path: str | None
    available_gib: tuple[float, float]
    freed_bytes: int = 0
    problem: str | None = None


def format_report(
    service: str, failure: StartFailure, engine_end: EngineEnd, lines: Sequence[str]
) -> str:
    """`lines` is the log of this node's engine; the report ends with its last lines."""
    report = [
        format_title(service, failure),
        f"symptom: {failure.symptom[:LONGEST]}",
        *_find_last_error(lines, failure),
        f"what to do: {failure.remedy}",
        _format_end(engine_end),
        *_format_log(engine_end.path, lines[-QUOTED:]),
    ]
    return "\n".join(report)


def _find_last_error(lines: Sequence[str], failure: StartFailure) -> list[str]:
    """Empty where the symptom says it already."""
    matches = (LAST_ERROR.search(line) for line in reversed(lines))
    errors = (match[0] for match in matches if match and not CONSEQUENCE.search(match[0]))
    last_error = next(errors, failure.symptom)
    return [] if last_error in failure.symptom else [f"last error here: {last_error[:LONGEST]}"]


def _format_end(engine_end: EngineEnd) -> str:
    engine = f"The engine on {engine_end.node}"
    if engine_end.problem:
        return f"{engine} could not be stopped: {engine_end.problem}"
    before, after = engine_end.available_gib
    mib = engine_end.freed_bytes / MIB
    freed = f"; {mib:.0f} MiB of shared memory freed" if mib >= 1 else ""
    return (
        f"{engine} was stopped within {engine_end.took_s:.1f} s; available memory: "
        f"{before:.1f} GiB before, {after:.1f} GiB after{freed}."
    )


def _format_log(path: str | None, last_lines: Sequence[str]) -> list[str]:
    if not last_lines:
        return ["The engine printed nothing."]
    location = f"The log is kept in {path}" if path else "The log was not kept"
    return [
        f"{location}; the last {len(last_lines)} lines:",
        *(f"  | {line[:LONGEST]}" for line in last_lines),
    ]
