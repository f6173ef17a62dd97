"""A run that has a supervisor is waited for as that sees it: nobody else ends its ranks."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import StepError
from node.steps import ready
from node.supervision.report import SupervisionReport
from tests.support.fake_engine import TOKEN, FakeEngine

RunReady = Any


def report(phase: Any, **fields: Any) -> SupervisionReport:
    values: dict[str, Any] = {"token": TOKEN, "is_active": True, "phase": phase}
    return SupervisionReport("qwen", **values | fields)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[SupervisionReport | None]:
    """What the node has of the service's supervisor, look by look; the last one stays."""
    seen: list[SupervisionReport | None] = []

    def read(system: object, service: str) -> SupervisionReport | None:
        return seen.pop(0) if len(seen) > 1 else seen[0]

    monkeypatch.setattr(ready, "read_report", read)
    return seen


def test_a_recovery_is_waited_for_and_its_dead_rank_left_alone(
    reports: list[SupervisionReport | None], engine: FakeEngine, run: RunReady
) -> None:
    reports += [report("recovering"), report("blocked"), report("recovering"), report("serving")]
    assert run() == ["qwen: serves, as its supervisor sees it"]
    assert engine.stopped_s is None


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (report("gave-up", detail="rank 1 was killed"), "gave-up, rank 1 was killed; `pulumi up`"),
        (report("needs-up"), "needs-up, no cause is known"),
        (report("recovering", is_active=False), "its supervisor has ended"),
        (None, "its supervisor has ended"),
        (report("recovering"), "has not brought it back in 20 s"),
    ],
)
def test_a_recovery_that_does_not_succeed_is_told(
    reports: list[SupervisionReport | None],
    run: RunReady,
    last: SupervisionReport | None,
    message: str,
) -> None:
    reports += [report("recovering"), last]
    with pytest.raises(StepError, match=message):
        run(ready_timeout_s=20)


def test_a_supervisor_of_another_run_is_not_asked(
    reports: list[SupervisionReport | None], run: RunReady
) -> None:
    reports += [report("serving", token="older-1")]
    with pytest.raises(StepError, match="not-ready"):
        run(ready_timeout_s=20)
