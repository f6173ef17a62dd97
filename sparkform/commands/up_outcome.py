"""What one `up` of a stack did, and the line that tells it best. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class UpOutcome:
    """What one run of a stack did, with its lines in order. `has_begun` is False where Pulumi did
    not run the program at all: no such stack, another run under way."""

    passed: bool
    lines: tuple[str, ...]
    took_s: float
    has_begun: bool = True


TELLING: tuple[Callable[[str], bool], ...] = (
    lambda line: line.startswith("service "),
    lambda line: "error" in line.lower(),
)
"""What names a failure best: the watch of a service, else Pulumi."""

UP = "`pulumi up` has nothing to do: it serves as before"


def find_telling_line(outcome: UpOutcome) -> str:
    """The line that counts: that it answers, or why it does not."""
    lines = [line.strip() for line in outcome.lines if line.strip()]
    if not lines:
        return "no output"
    if outcome.passed:
        return next((line for line in lines if " rank 0: ready, " in line), UP)
    return next((line for is_telling in TELLING for line in lines if is_telling(line)), lines[0])
