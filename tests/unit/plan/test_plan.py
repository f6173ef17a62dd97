"""The whole plan, on facts that were recorded on simulated nodes before and after an `up`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sparkform.plan.outputs import outputs
from sparkform.plan.rack import plan_rack
from sparkform.report.facts import NodeDocument
from tests.support.planning import STACK, declared, installed, planned, recorded

RACKS = [("direct", 2), ("switch", 3)]


def changed(document: NodeDocument, **facts: Any) -> NodeDocument:
    return document.model_copy(update={"facts": document.facts.model_copy(update=facts)})


@pytest.mark.parametrize(("topology", "count"), RACKS)
def test_every_step_of_an_untouched_rack_has_something_to_say(topology: str, count: int) -> None:
    plan = planned(declared(topology, count), recorded(f"{topology}-{count}-untouched"))
    assert [step.step for step in plan.steps if step.decision.in_sync] == []
    assert all(step.lines for step in plan.steps)


@pytest.mark.parametrize(("topology", "count"), RACKS)
def test_a_rack_that_is_up_is_in_sync_and_hands_its_receipts_on(topology: str, count: int) -> None:
    documents = recorded(f"{topology}-{count}-up")
    plan = planned(declared(topology, count), documents, installed(documents))
    assert [step.lines for step in plan.steps if not step.decision.in_sync] == []
    for step in plan.steps:
        assert step.decision.document == documents[step.node].receipts[step.step]


def test_a_newer_node_program_changes_the_anchors_and_nothing_else() -> None:
    plan = planned(declared("direct", 2), recorded("direct-2-up"), "newer")
    assert {step.step for step in plan.steps if not step.decision.in_sync} == {"anchor"}


def test_each_node_is_owned_by_this_stack_and_step() -> None:
    plan = planned(declared("direct", 2), recorded("direct-2-untouched"))
    for step in plan.steps:
        owner = json.loads(step.decision.document)["owner"]
        assert owner == f"{STACK.project}/{STACK.stack}/{step.node}/{step.step}"


def test_a_check_runs_again_when_an_address_that_it_tried_did() -> None:
    documents = recorded("direct-2-up")
    steps = dict(documents["spark-2"].steps)
    seen: Any = json.loads(json.dumps(steps["fabric_address"]))
    seen["interfaces"]["enp1s0f0np0"]["mtu"] = 1500
    steps["fabric_address"] = seen
    documents["spark-2"] = documents["spark-2"].model_copy(update={"steps": steps})
    plan = planned(declared("direct", 2), documents, installed(recorded("direct-2-up")))
    assert sorted(f"{one.node} {one.step}" for one in plan.steps if one.lines) == [
        "spark-1 fabric_check:0",
        "spark-2 fabric_address",
        "spark-2 fabric_check:0",
        "spark-2 fabric_confirm",
    ]


def test_a_node_that_is_away_is_held_with_every_step_that_concerns_it() -> None:
    documents = recorded("direct-2-up")
    sha256 = installed(documents)
    nodes = [
        {"name": "spark-1", "host": "10.0.0.1"},
        {"name": "spark-2", "host": "10.0.0.2", "away": True},
    ]
    there = {"spark-1": documents["spark-1"]}
    plan = planned(declared("direct", 2, nodes=nodes), there, sha256)
    held = {f"{one.node} {one.step}" for one in plan.steps if one.is_held}
    assert {one for one in held if one.startswith("spark-1")} == {"spark-1 fabric_check:0"}
    assert {one.step for one in plan.steps if one.node == "spark-2" and not one.is_held} == set()


def test_a_third_spark_behind_the_switch_changes_nothing_on_the_first_two() -> None:
    documents = recorded("switch-3-untouched")
    two = planned(declared("switch", 2), {name: documents[name] for name in ("spark-1", "spark-2")})
    three = planned(declared("switch", 3), documents)
    given = {(one.node, one.step): one.decision.document for one in two.steps}
    now = {(one.node, one.step): one.decision.document for one in three.steps}
    assert {key for key in given if given[key] != now[key]} == {("spark-1", "swarm_labels")}


def test_a_node_that_nobody_observed_is_named() -> None:
    documents = recorded("direct-2-untouched")
    del documents["spark-2"]
    plan = plan_rack(declared("direct", 2), documents, STACK, "any")
    assert [one.path for one in plan.problems] == ["cluster.nodes[1]"]
    assert plan.nodes == {}


def test_a_node_without_its_gpu_is_named_where_swarm_needs_it() -> None:
    documents = recorded("direct-2-untouched")
    documents["spark-2"] = changed(documents["spark-2"], gpu=None)
    (problem,) = plan_rack(declared("direct", 2), documents, STACK, "any").problems
    assert "spark-2 shows no GPU" in str(problem)
    without_swarm = declared("direct", 2, swarm={"enabled": False})
    assert plan_rack(without_swarm, documents, STACK, "any").problems == ()


def test_a_node_without_a_default_route_needs_its_management_address() -> None:
    documents = recorded("direct-2-untouched")
    documents["spark-2"] = changed(documents["spark-2"], routes=())
    (problem,) = plan_rack(declared("direct", 2), documents, STACK, "any").problems
    assert problem.path == "cluster.nodes[1].managementAddress"


def test_a_missing_half_is_named_with_its_cable() -> None:
    documents = recorded("direct-2-untouched")
    found = documents["spark-2"].facts.interfaces or ()
    kept = tuple(one for one in found if one.name != "enP2p1s0f0np0")
    documents["spark-2"] = changed(documents["spark-2"], interfaces=kept)
    (problem,) = plan_rack(declared("direct", 2), documents, STACK, "any").problems
    assert "half B of QSFP port 0 of spark-2" in str(problem)


def test_the_outputs_name_nodes_and_draw_the_rack() -> None:
    documents = recorded("direct-2-untouched")
    spec = declared("direct", 2)
    found = outputs(spec, planned(spec, documents), documents, [], {})
    assert [node["role"] for node in found["nodes"]] == ["head", "worker"]  # type: ignore[attr-defined]
    assert str(found["topology"]).splitlines() == [
        "flowchart LR",
        f'  spark_1["spark-1<br/>head, {_management(documents, "spark-1")}"]',
        f'  spark_2["spark-2<br/>worker, {_management(documents, "spark-2")}"]',
        '  spark_1 ---|"192.168.100.0/25<br/>192.168.100.128/25"| spark_2',
    ]


def _management(documents: dict[str, NodeDocument], node: str) -> str:
    (found,) = (one for one in documents[node].facts.interfaces or () if one.name == "enP7s7")
    return next(address for address in found.addresses if ":" not in address).partition("/")[0]
