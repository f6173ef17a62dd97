"""What a rule says of a declaration: a finding, or why it could not look."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["mandatory", "advisory"]
MANDATORY: Severity = "mandatory"
ADVISORY: Severity = "advisory"


@dataclass(frozen=True, kw_only=True)
class RuleFinding:
    """One place that breaks a rule.

    `message` is one sentence in the present tense that says what breaks. `remedy` can be pasted
    into the stack file: keys with values, or a comment that says what to do. `severity` and
    `evidence` only where they differ from the table's.
    """

    path: str
    message: str
    remedy: str
    severity: Severity | None = None
    evidence: str | None = None


@dataclass(frozen=True, kw_only=True)
class RuleSkip:
    """What a rule would need to know of `path` and does not."""

    path: str
    reason: str


RuleOutcome = RuleFinding | RuleSkip


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A finding as people and programs get it."""

    rule: str
    severity: Severity
    path: str
    message: str
    evidence: str
    remedy: str
    waived: str | None = None

    def to_json(self) -> dict[str, str]:
        """The six keys of `sparkform check --json`; a waiver's reason is part of the message."""
        document = asdict(self)
        waived = document.pop("waived")
        if waived is not None:
            document["message"] = f"{self.message} (waived: {waived})"
        return document

    @property
    def instruction(self) -> str:
        """The remedy as a sentence."""
        if self.remedy.startswith("# "):
            return f"{self.remedy[2:3].upper()}{self.remedy[3:]}."
        return f"Set `{self.remedy}`."

    def __str__(self) -> str:
        message = self.to_json()["message"]
        return f"{self.path}: {message} {self.instruction} [{self.rule}] ({self.evidence})"


@dataclass(frozen=True, kw_only=True)
class SkippedRule:
    """A rule that did not look at `path`, and why."""

    rule: str
    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RulesVerdict:
    """Everything that the rules say of one declaration, mandatory violations first."""

    violations: tuple[Violation, ...]
    skipped: tuple[SkippedRule, ...]

    @property
    def refusals(self) -> tuple[Violation, ...]:
        """The violations that stop a run."""
        return tuple(violation for violation in self.violations if violation.severity == MANDATORY)

    @property
    def warnings(self) -> tuple[Violation, ...]:
        """The violations that are only told."""
        return tuple(violation for violation in self.violations if violation.severity == ADVISORY)
