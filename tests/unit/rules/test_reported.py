"""Set-ups that people reported to fail or to work: tests/data/reported, each with its source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sparkform.rules.table import load_table
from tests.unit.rules.support import DATA, evaluate_stack

BAD = sorted((DATA / "reported" / "bad").glob("*.yaml"))
GOOD = sorted((DATA / "reported" / "good").glob("*.yaml"))


def read_header(path: Path, key: str) -> str:
    match = re.search(rf"^# {key}: (.+)$", path.read_text(), re.MULTILINE)
    return match[1] if match else ""


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_what_was_reported_to_fail_is_refused_for_that_reason(path: Path) -> None:
    rule, verdict = read_header(path, "rule"), evaluate_stack(path)
    findings = verdict.refusals if load_table()[rule].can_refuse else verdict.warnings
    assert rule in {finding.rule for finding in findings}


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_what_was_reported_to_work_is_not_refused(path: Path) -> None:
    assert [str(violation) for violation in evaluate_stack(path).refusals] == []


@pytest.mark.parametrize("path", BAD + GOOD, ids=lambda path: path.stem)
def test_a_report_can_be_opened(path: Path) -> None:
    assert re.search(r"https://|@[0-9a-f]{7}", read_header(path, "source"))


def test_there_are_reports_of_both_kinds() -> None:
    assert len(BAD) >= 30
    assert len(GOOD) >= 15
