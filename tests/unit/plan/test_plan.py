"""The whole plan, on facts that were recorded on simulated nodes before and after an `up`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sparkform.plan.rack import plan_rack
from sparkform.report.facts import NodeReport
from tests.support.planning import (
    STACK,
    build_declaration,
    build_plan,
    get_agent_sha256,
    load_reports,
)

RACKS = [("direct", 2), ("switch", 3)]


def change_facts(report: NodeReport, **facts: Any) -> NodeReport:
    return report.model_copy(update={"facts": report.facts.model_copy(update=facts)})


@pytest.mark.parametrize(("topology", "count"), RACKS)
def test_every_step_of_an_untouched_rack_has_something_to_say(topology: str, count: int) -> None:
    plan = build_plan(
        build_declaration(topology, count), load_reports(f"{topology}-{count}-untouched")
    )
    assert [step.step for step in plan.steps if step.decision.in_sync] == []
    assert all(step.lines for step in plan.steps)


@pytest.mark.parametrize(("topology", "count"), RACKS)
def test_a_rack_that_is_up_is_in_sync_and_hands_its_receipts_on(topology: str, count: int) -> None:
    reports = load_reports(f"{topology}-{count}-up")
    plan = build_plan(build_declaration(topology, count), reports, get_agent_sha256(reports))
    assert [step.lines for step in plan.steps if not step.decision.in_sync] == []
    for step in plan.steps:
        assert step.decision.document == reports[step.node].receipts[step.step]


def test_a_newer_node_program_changes_the_agents_and_nothing_else() -> None:
    plan = build_plan(build_declaration("direct", 2), load_reports("direct-2-up"), "newer")
    assert {step.step for step in plan.steps if not step.decision.in_sync} == {"agent"}


def test_each_node_is_owned_by_this_stack_and_step() -> None:
    plan = build_plan(build_declaration("direct", 2), load_reports("direct-2-untouched"))
    for step in plan.steps:
        owner = json.loads(step.decision.document)["owner"]
        assert owner == f"{STACK.project}/{STACK.stack}/{step.node}/{step.step}"


def test_a_check_runs_again_when_an_address_that_it_tried_did() -> None:
    reports = load_reports("direct-2-up")
    steps = dict(reports["spark-2"].steps)
    state: Any = json.loads(json.dumps(steps["fabric_address"]))
    state["interfaces"]["enp1s0f0np0"]["mtu"] = 1500
    steps["fabric_address"] = state
    reports["spark-2"] = reports["spark-2"].model_copy(update={"steps": steps})
    plan = build_plan(
        build_declaration("direct", 2), reports, get_agent_sha256(load_reports("direct-2-up"))
    )
    assert sorted(f"{step.node} {step.step}" for step in plan.steps if step.lines) == [
        "spark-1 fabric_check:0",
        "spark-2 fabric_address",
        "spark-2 fabric_check:0",
        "spark-2 fabric_confirm",
    ]


def test_a_node_that_is_away_is_held_with_every_step_that_concerns_it() -> None:
    reports = load_reports("direct-2-up")
    sha256 = get_agent_sha256(reports)
    nodes = [
        {"name": "spark-1", "host": "10.0.0.1"},
        {"name": "spark-2", "host": "10.0.0.2", "away": True},
    ]
    reports_of_present = {"spark-1": reports["spark-1"]}
    plan = build_plan(build_declaration("direct", 2, nodes=nodes), reports_of_present, sha256)
    held = {f"{step.node} {step.step}" for step in plan.steps if step.is_held}
    assert {step for step in held if step.startswith("spark-1")} == {"spark-1 fabric_check:0"}
    assert {
        step.step for step in plan.steps if step.node == "spark-2" and not step.is_held
    } == set()


def test_a_third_spark_behind_the_switch_changes_nothing_on_the_first_two() -> None:
    reports = load_reports("switch-3-untouched")
    two = build_plan(
        build_declaration("switch", 2), {name: reports[name] for name in ("spark-1", "spark-2")}
    )
    three = build_plan(build_declaration("switch", 3), reports)
    before = {(step.node, step.step): step.decision.document for step in two.steps}
    after = {(step.node, step.step): step.decision.document for step in three.steps}
    assert {key for key in before if before[key] != after[key]} == {("spark-1", "swarm_labels")}


def test_a_node_that_nobody_observed_is_named() -> None:
    reports = load_reports("direct-2-untouched")
    del reports["spark-2"]
    plan = plan_rack(build_declaration("direct", 2), reports, STACK, "any")
    assert [problem.path for problem in plan.problems] == ["cluster.nodes[1]"]
    assert plan.nodes == {}


def test_a_node_without_its_gpu_is_named_where_swarm_needs_it() -> None:
    reports = load_reports("direct-2-untouched")
    gpu_facts = reports["spark-2"].facts.gpu
    assert gpu_facts is not None
    empty = gpu_facts.model_copy(update={"gpus": ()})
    reports["spark-2"] = change_facts(reports["spark-2"], gpu=empty)
    (problem,) = plan_rack(build_declaration("direct", 2), reports, STACK, "any").problems
    assert "spark-2 shows no GPU" in str(problem)
    without_swarm = build_declaration("direct", 2, swarm={"enabled": False})
    assert plan_rack(without_swarm, reports, STACK, "any").problems == ()


def test_a_node_without_a_default_route_needs_its_management_address() -> None:
    reports = load_reports("direct-2-untouched")
    reports["spark-2"] = change_facts(reports["spark-2"], routes=())
    (problem,) = plan_rack(build_declaration("direct", 2), reports, STACK, "any").problems
    assert problem.path == "cluster.nodes[1].managementAddress"


def test_a_missing_half_is_named_with_its_cable() -> None:
    reports = load_reports("direct-2-untouched")
    interfaces = reports["spark-2"].facts.interfaces or ()
    remaining = tuple(interface for interface in interfaces if interface.name != "enP2p1s0f0np0")
    reports["spark-2"] = change_facts(reports["spark-2"], interfaces=remaining)
    (problem,) = plan_rack(build_declaration("direct", 2), reports, STACK, "any").problems
    assert "half B of QSFP port 0 of spark-2" in str(problem)
