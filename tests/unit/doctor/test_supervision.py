"""What doctor says of supervisors: who keeps a service serving, in what state, and who does not."""

from __future__ import annotations

from typing import Any

import pytest

from sparkform.doctor import Check
from tests.support.recorded import STACK, change_report
from tests.unit.doctor.support import diagnose_recording, get_row, list_rows
from tests.unit.doctor.test_engines import (
    build_rank_state,
    build_ready_state,
    build_serving_rack,
    record_ready_states,
)

ROW_NAME = "supervision qwen"


def diagnose(alive: bool = True, **report: Any) -> tuple[Check, ...]:
    """The rack whose first node reports this of its supervisor; without a report it has none."""
    states = [build_ready_state([build_rank_state(rank, alive=alive)]) for rank in (0, 1)]
    observation = record_ready_states(*states)
    values = {"service": "qwen", "is_active": True, "is_coordinator": True, "token": "today-1"}
    observed = {"report": {**values, "epoch": 2, "restarts": 1, **report} if report else None}
    changed = change_report(observation, "spark-1", ["steps", "supervise:qwen"], observed)
    claimed = change_report(changed, "spark-1", ["facts", "claim"], str(STACK))
    return diagnose_recording(claimed, build_serving_rack())


@pytest.mark.parametrize(
    ("report", "status", "words", "fix"),
    [
        ({"phase": "serving"}, "ok", "serves (epoch 2, 1 restart)", None),
        ({"phase": "degraded", "detail": "spark-2 is silent"}, "warn", "spark-2 is silent", "wait"),
        ({"phase": "recovering"}, "warn", "is recovering (epoch 2", "wait"),
        ({"phase": "blocked", "detail": "the disk is full"}, "warn", "the disk is full", "wait"),
        ({"phase": "gave-up", "detail": "rank 1"}, "fail", "was given up", "sparkform restart"),
        ({"phase": "needs-up"}, "fail", "needs `pulumi up`", "`pulumi up`"),
        ({"phase": None}, "warn", "unknown: the supervisor has not written", None),
        ({"phase": "serving", "unknown": "state.json"}, "warn", "unknown: state.json", None),
        ({"is_coordinator": False, "phase": "serving"}, "ok", "a supervisor runs (epoch 2)", None),
    ],
)
def test_each_state_of_a_supervised_service_is_said(
    report: dict[str, Any], status: str, words: str, fix: str | None
) -> None:
    check = get_row(diagnose(**report), "spark-1", ROW_NAME)
    assert check.status == status
    assert words in check.message
    assert check.fix is None if fix is None else fix in str(check.fix)


@pytest.mark.parametrize("report", [{}, {"is_active": False, "phase": "serving"}])
def test_a_service_that_runs_and_that_nobody_supervises_is_a_fault(report: dict[str, Any]) -> None:
    check = get_row(diagnose(**report), "spark-1", ROW_NAME)
    assert (check.status, check.fix) == ("fail", "`pulumi up`")
    assert check.message.startswith("unsupervised: ")
    assert list_rows(diagnose(alive=False, **report), "spark-1", ROW_NAME) == []


def test_a_dead_rank_that_comes_back_by_itself_needs_no_up() -> None:
    recovering = get_row(diagnose(alive=False, phase="recovering"), "spark-1", "service qwen")
    assert "its supervisor starts the whole service again" in str(recovering.fix)
    given_up = get_row(diagnose(alive=False, phase="gave-up"), "spark-1", "service qwen")
    assert "`pulumi up` starts" in str(given_up.fix)
