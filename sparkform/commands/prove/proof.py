"""Running the stages one after the other until one fails, and the line that sums each up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sparkform.commands.prove.stages import ProofStage


@dataclass(frozen=True)
class StageOutcome:
    """What one run of a stack did, with its lines in order."""

    passed: bool
    lines: tuple[str, ...]
    took_s: float


TELLING: tuple[Callable[[str], bool], ...] = (
    lambda line: line.startswith("service "),
    lambda line: "error" in line.lower(),
)
"""What names a failure best: the watch of a service, else Pulumi."""

UP = "`pulumi up` has nothing to do: it serves as before"

StageRunner = Callable[[ProofStage], StageOutcome]


@dataclass(frozen=True)
class StageResult:
    """A stage with its outcome; None where an earlier one failed."""

    stage: ProofStage
    outcome: StageOutcome | None

    @property
    def status(self) -> str:
        if self.outcome is None:
            return "not run"
        return "pass" if self.outcome.passed else "fail"


def prove_stages(stages: Sequence[ProofStage], run: StageRunner) -> Iterator[StageResult]:
    """Each stage's result as it comes; nothing is run after the first failure."""
    has_failed = False
    for stage in stages:
        outcome = None if has_failed else run(stage)
        has_failed = has_failed or (outcome is not None and not outcome.passed)
        yield StageResult(stage, outcome)


def find_telling_line(result: StageResult) -> str:
    """The line that counts: that it answers, or why it does not."""
    if result.outcome is None:
        return "an earlier stage failed"
    lines = [line.strip() for line in result.outcome.lines if line.strip()]
    if not lines:
        return "no output"
    if result.outcome.passed:
        return next((line for line in lines if " rank 0: ready, " in line), UP)
    return next((line for is_telling in TELLING for line in lines if is_telling(line)), lines[0])
