"""A run that has a supervisor is waited for as that sees it: nobody else ends its ranks."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import StepError
from node.host.paths import KEPT_LAUNCHES
from node.rollback import restoring
from node.rollback.kept_launch import KeptLaunch, write_kept
from node.steps import ready
from node.supervision.paths import get_request_path
from node.supervision.report import SupervisionReport
from tests.support.fake_engine import TOKEN, FakeEngine
from tests.unit.node.readiness.conftest import NeverInterrupted, schedule_answer
from tests.unit.node.supervision.conftest import build_target

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


SUMMARY = "service qwen: rank 0 on spark-1: "


def restore_as(monkeypatch: pytest.MonkeyPatch, restored: Any) -> list[tuple[Any, ...]]:
    """What is asked for; an exception is raised instead of an answer."""
    requests = []

    def restore(system: object, *arguments: Any) -> Any:
        requests.append(arguments)
        if isinstance(restored, Exception):
            raise restored
        return restored

    monkeypatch.setattr(restoring, "restore_previous", restore)
    return requests


def test_a_failed_start_ends_with_what_serves_again(
    reports: list[SupervisionReport | None],
    engine: FakeEngine,
    run: RunReady,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine.death = (2, 1)
    requests = restore_as(monkeypatch, build_target(token="old-1"))
    old = [report(phase, token="old-1") for phase in ("recovering", "recovering", "serving")]
    reports += [None, *old]
    with pytest.raises(StepError) as caught:
        run()
    ((service, token, title),) = requests
    assert (service, token) == ("qwen", TOKEN)
    lines = str(caught.value).splitlines()
    assert title == lines[0]
    assert title.startswith(SUMMARY)
    assert lines[-1].startswith("The launch that served before serves again. To stay with it")
    assert len(reports) == 1, "it was waited for"


@pytest.mark.parametrize(
    ("restored", "last", "sentence"),
    [
        (None, None, None),
        (build_target(token="old-1", node="spark-2"), None, "The launch that served before is"),
        (StepError("Docker says: no"), None, "does not serve again: Docker says: no"),
        (OSError(28, "No space"), None, "does not serve again: [Errno 28] No space"),
        (
            build_target(token="old-1"),
            report("gave-up", token="old-1", detail="4 restarts failed"),
            "does not serve again: qwen: gave-up, 4 restarts failed",
        ),
        (
            build_target(token="old-1"),
            report("blocked", token="old-1", detail="spark-2 is not heard", phase_age_s=130.0),
            "held up, spark-2 is not heard; its supervisor goes on trying",
        ),
    ],
)
def test_what_does_not_serve_again_is_told(
    reports: list[SupervisionReport | None],
    engine: FakeEngine,
    run: RunReady,
    monkeypatch: pytest.MonkeyPatch,
    restored: Any,
    last: SupervisionReport | None,
    sentence: str | None,
) -> None:
    engine.death = (2, 1)
    restore_as(monkeypatch, restored)
    reports += [None, last]
    with pytest.raises(StepError) as caught:
        run()
    text = str(caught.value)
    assert ("served before" in text) == (sentence is not None)
    assert (sentence or "") in text


def test_what_it_says_before_it_has_taken_the_request_is_of_before(
    reports: list[SupervisionReport | None],
    engine: FakeEngine,
    run: RunReady,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine.death = (2, 1)
    engine.spark.system.put(get_request_path("qwen"), "")
    restore_as(monkeypatch, build_target(token="old-1"))
    reports += [None, report("serving", token="old-1")]
    with pytest.raises(StepError, match="has not brought it back in 20 s"):
        run(ready_timeout_s=20)


def test_a_watch_that_is_interrupted_starts_nothing(
    reports: list[SupervisionReport | None],
    engine: FakeEngine,
    run: RunReady,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests = restore_as(monkeypatch, None)
    reports.append(None)
    monkeypatch.setattr(NeverInterrupted, "reason", "SIGINT")
    with pytest.raises(StepError, match="interrupted"):
        run()
    assert requests == []


def test_once_it_answers_nothing_is_kept_any_more(
    reports: list[SupervisionReport | None],
    engine: FakeEngine,
    run: RunReady,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports.append(None)
    write_kept(engine.spark.system, KeptLaunch("qwen", "old-1"))
    schedule_answer(monkeypatch, engine, 3)
    run()
    assert engine.spark.system.get_state(KEPT_LAUNCHES) is None
