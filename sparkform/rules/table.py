"""rules.csv, the only list of rules: id, severity, engines, source."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sparkform.rules.outcome import ADVISORY, MANDATORY, Severity

COLUMNS = ("id", "severity", "engines", "source")
EITHER = "mandatory or advisory"
"""The severity of a rule whose findings say themselves how much they weigh."""

SEVERITIES = (MANDATORY, ADVISORY, EITHER)
ENGINES = ("trtllm", "vllm", "both", "none")


@dataclass(frozen=True)
class RuleRow:
    """One rule: `engines` is trtllm, vllm, both, or none for a rule about the rack."""

    id: str
    severity: str
    engines: str
    source: str

    @property
    def can_refuse(self) -> bool:
        """Whether some finding of this rule is mandatory, so that it can be waived."""
        return self.severity != ADVISORY

    @property
    def default_severity(self) -> Severity:
        """What a finding weighs that does not say it itself."""
        return MANDATORY if self.can_refuse else ADVISORY

    def applies_to(self, engine: str) -> bool:
        """Whether the rule looks at services of that engine."""
        return self.engines in (engine, "both")


def parse_table(text: str) -> tuple[RuleRow, ...]:
    """The rows of a table. Raises ValueError for a damaged one: it is part of the program."""
    lines = csv.DictReader(io.StringIO(text))
    if tuple(lines.fieldnames or ()) != COLUMNS:
        raise ValueError(f"columns are {lines.fieldnames}")
    rows = tuple(RuleRow(**line) for line in lines)
    for row in rows:
        if row.severity not in SEVERITIES or row.engines not in ENGINES or not row.source:
            raise ValueError(f"row {row.id} is damaged")
    if len({row.id for row in rows}) != len(rows):
        raise ValueError("an id stands twice")
    return rows


@cache
def load_table() -> dict[str, RuleRow]:
    """All rules by id, in the table's order."""
    text = (Path(__file__).parent / "rules.csv").read_text(encoding="utf-8")
    return {row.id: row for row in parse_table(text)}
