"""Running the stages one after the other until one fails, and the line that sums each up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sparkform.commands import up_outcome
from sparkform.commands.prove.stages import ProofStage
from sparkform.commands.up_outcome import UpOutcome

StageRunner = Callable[[ProofStage], UpOutcome]


@dataclass(frozen=True)
class StageResult:
    """A stage with its outcome; None where an earlier one failed."""

    stage: ProofStage
    outcome: UpOutcome | None

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
    if result.outcome is None:
        return "an earlier stage failed"
    return up_outcome.find_telling_line(result.outcome)
