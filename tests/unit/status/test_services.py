"""Rows of services: from supervisors, from ranks alone, and where something is not known."""

from __future__ import annotations

from typing import Any

import pytest

from node.ranks.rank import NodeRanks
from node.readings.measure import Unread
from node.supervision.report import LiveFigures
from sparkform.status.rack_status import FailureStatus, ServiceStatus
from tests.support.status_documents import (
    NOW_S,
    build_document,
    build_rank,
    build_report,
    build_status,
)

SILENT = Unread("10.0.0.1 is unreachable (no answer within 6 s)")
NO_RANKS = NodeRanks(())


def build_service(
    first: dict[str, Any] | Unread | None = None, second: dict[str, Any] | Unread | None = None
) -> ServiceStatus:
    """The service with these changes of the two nodes' documents."""
    documents = {
        f"spark-{rank + 1}": changes
        if isinstance(changes, Unread)
        else build_document(rank, **changes or {})
        for rank, changes in enumerate((first, second))
    }
    return build_status(documents).services[0]


def build_supervised(**report: Any) -> ServiceStatus:
    return build_service({"supervision": {"qwen": build_report(0, **report)}})


def test_the_coordinator_tells_all_of_a_service_that_serves() -> None:
    service = build_service()
    assert (service.name, service.node, service.port) == ("qwen", "spark-1", 8000)
    assert (service.state, service.age_s, service.restarts) == ("serving", 11_520.0, 1)
    assert service.last_failure == FailureStatus(
        "exit code 137 (SIGKILL)", 1, "spark-2", NOW_S - 7200
    )
    assert (service.requests_running, service.requests_waiting) == (4.0, 1.0)
    assert (service.tokens_per_s, service.cache_use) == (112.34, 0.37)
    assert [rank.state for rank in service.ranks] == ["running", "running"]
    assert service.is_serving


@pytest.mark.parametrize(
    "phase", ["starting", "degraded", "suspect", "recovering", "blocked", "gave-up", "needs-up"]
)
def test_each_phase_is_shown_as_it_is(phase: str) -> None:
    service = build_supervised(phase=phase, detail="spark-2 is not heard")
    assert (service.state, service.detail) == (phase, "spark-2 is not heard")
    assert not service.is_serving


def test_a_supervisor_that_does_not_run_leaves_the_service_unsupervised() -> None:
    assert build_supervised(is_active=False).state == "unsupervised"


def test_without_systemds_word_the_state_is_unknown_but_for_one_that_lasts() -> None:
    why = "systemd does not say whether the supervisor runs"
    assert build_supervised(is_active=None).state == Unread(why)
    assert build_supervised(is_active=None, phase="gave-up").state == "gave-up"


def test_a_service_that_was_given_up_stays_so_without_a_supervisor() -> None:
    assert build_supervised(is_active=False, phase="gave-up").state == "gave-up"


def test_an_old_live_file_makes_the_state_unknown() -> None:
    state = build_supervised(live_age_s=47.2).state
    assert state == Unread("the supervisor has written nothing since 47 s")


def test_a_figure_that_the_engine_does_not_tell_is_unknown_only_while_it_answers() -> None:
    assert build_supervised(figures=LiveFigures()).tokens_per_s == Unread("the engine does not say")
    assert build_supervised(figures=LiveFigures(), phase="starting").tokens_per_s is None


def test_without_the_head_a_follower_tells_the_phase_that_it_was_told() -> None:
    service = build_service(SILENT)
    assert service.state == "serving"
    assert service.tokens_per_s == Unread("the engine does not say")
    assert service.ranks[0].state == SILENT
    assert service.ranks[1].state == "running"


def test_without_the_head_a_silent_follower_tells_nothing() -> None:
    stale = {"supervision": {"qwen": build_report(1, live_age_s=300.0)}}
    assert build_service(SILENT, stale).state == SILENT


def test_ranks_without_a_supervisor_are_unsupervised() -> None:
    service = build_service({"supervision": {}}, {"supervision": {}})
    assert service.state == "unsupervised"
    assert service.restarts == Unread("no supervisor runs")


def test_no_rank_and_no_supervisor_is_absent() -> None:
    nothing = {"supervision": {}, "ranks": NO_RANKS}
    service = build_service(nothing, nothing)
    assert (service.state, service.restarts, service.tokens_per_s) == ("absent", None, None)
    assert [rank.state for rank in service.ranks] == ["absent", "absent"]


def test_absence_is_not_said_where_a_node_is_silent() -> None:
    nothing = {"supervision": {}, "ranks": NO_RANKS}
    assert build_service(nothing, SILENT).state == SILENT


def test_ranks_are_unknown_where_docker_is_silent() -> None:
    service = build_service(None, {"ranks": NodeRanks((build_rank(1),), "Docker does not answer")})
    assert service.ranks[1].state == Unread("Docker does not answer")


def test_a_rank_that_ended_says_how() -> None:
    ended = build_rank(1, state="ended", exit_code=137)
    service = build_service(None, {"ranks": NodeRanks((ended,))})
    assert (service.ranks[1].state, service.ranks[1].ending) == ("ended", "exit code 137 (SIGKILL)")
    assert service.running_ranks == 1


def test_the_container_of_an_earlier_run_is_not_the_rank() -> None:
    earlier = build_rank(1, state="ended", exit_code=1, started_s=NOW_S - 9000)
    service = build_service(None, {"ranks": NodeRanks((earlier, build_rank(1)))})
    assert service.ranks[1].state == "running"


def test_ranks_of_other_services_are_not_shown() -> None:
    service = build_service(None, {"ranks": NodeRanks((build_rank(1, "glm"),))})
    assert service.ranks[1].state == "absent"
