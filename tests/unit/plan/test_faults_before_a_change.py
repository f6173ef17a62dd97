"""Each fault that `rack break` knows, there before a service that serves is changed: what keeps the
service from being stopped for a change that cannot succeed, or why no check can tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
import pytest

from components import inputs
from sparkform.config import Declaration
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.report.facts import NodeReport
from sparkform.report.rack_report import NodeError, Observation, QueryResult
from sparkrack.faults import FAULTS
from tests.support.planning import STACK, get_agent_sha256, load_reports
from tests.unit.plan.test_preflight import (
    change,
    declare_service,
    fill_disk,
    lose_gpu,
    unplug,
)
from tests.unit.plan.test_services import apply_plan, build_plan

Reports = dict[str, NodeReport]
NODE = "spark-2"
CHANGE = {"gpuMemoryUtilization": 0.4}


def break_facts(find: Callable[..., dict[str, object]]) -> Callable[[NodeReport], NodeReport]:
    return lambda report: change(report, **find(report.facts))


@dataclass(frozen=True)
class SeenFault:
    """What a run sees of it: other facts of the node, or no answer at all."""

    breaks: Callable[[NodeReport], NodeReport] | None
    words: str


SILENT = SeenFault(None, "not reached")
BEFORE = {
    "link-down": SeenFault(break_facts(unplug), "the cable of spark-2 has no link"),
    "disk-full": SeenFault(break_facts(fill_disk), "disk of spark-2 is full"),
    "gpu-gone": SeenFault(break_facts(lose_gpu), "spark-2 shows no GPU"),
    **dict.fromkeys(("off", "freeze", "sshd-stop", "reboot"), SILENT),
}
NOT_SEEN_BEFORE = {
    "docker-stop": "the step docker_daemon starts it before the service stops, or ends the run",
    "mtu": "the address step mends it before the service is stopped",
    "mtu switch": "the packets of fabric_check do not pass, which the service comes after",
    "slow-link": "a service starts and serves over a slow link",
    "engine": "only the new launch itself shows it: the launch before it is started again",
}


def test_each_fault_of_the_rack_is_in_one_of_the_tables() -> None:
    assert sorted([*BEFORE, *NOT_SEEN_BEFORE]) == sorted(FAULTS)


@pytest.fixture
def serving() -> Reports:
    up = load_reports("direct-2-up")
    return apply_plan(build_plan(declare_service(), up), up)


def plan_with(declaration: Declaration, reports: Reports) -> RackPlan:
    return plan_rack(declaration, reports, STACK, get_agent_sha256(load_reports("direct-2-up")))


def list_stopping(plan: RackPlan) -> list[str]:
    """The steps that end its ranks."""
    service = plan.services.get("qwen")
    steps = service.stop_previous.steps.values() if service else ()
    return [step.node for step in steps if step.is_changing]


@pytest.mark.parametrize(
    "fault", [name for name, fault_case in BEFORE.items() if fault_case.breaks]
)
def test_a_fault_that_a_node_reports_stops_no_service(serving: Reports, fault: str) -> None:
    fault_case, declaration = BEFORE[fault], declare_service(**CHANGE)
    assert list_stopping(plan_with(declaration, serving)) == ["spark-1", NODE], "it would be"
    assert fault_case.breaks is not None
    plan = plan_with(declaration, {**serving, NODE: fault_case.breaks(serving[NODE])})
    lines = [str(problem) for problem in plan.problems] + list(plan.unknown_lines)
    assert any(fault_case.words in line for line in lines), lines
    assert plan.problems or list_stopping(plan) == [], "a run with problems changes nothing"


@pytest.mark.parametrize(
    "fault", [name for name, fault_case in BEFORE.items() if not fault_case.breaks]
)
def test_a_node_that_does_not_answer_ends_the_run_before_anything(
    serving: Reports, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    error = NodeError(kind="unreachable", what="not reached", remedy="is it switched on?")
    nodes = {name: QueryResult(report=report) for name, report in serving.items()}
    observation = Observation(nodes={**nodes, NODE: QueryResult(error=error)})
    monkeypatch.setattr(inputs, "observe", lambda targets: observation)
    monkeypatch.setattr(inputs, "find_stale_agent", lambda: None)
    with pytest.raises(pulumi.RunError, match=f"{NODE}: {BEFORE[fault].words}"):
        inputs.observe_nodes(declare_service(**CHANGE), None)


def test_a_wrong_mtu_is_mended_before_the_service_stops(serving: Reports) -> None:
    drifted = load_reports("direct-one-half-at-mtu-1500")[NODE].steps["fabric_address"]
    report = serving[NODE]
    wrong = report.model_copy(update={"steps": {**report.steps, "fabric_address": drifted}})
    plan = plan_with(declare_service(**CHANGE), {**serving, NODE: wrong})
    step = plan.nodes[NODE]["fabric_address"]
    assert (step.is_changing, plan.problems) == (True, ())
    assert list_stopping(plan_with(declare_service(), serving)) == []
