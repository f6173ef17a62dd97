"""What was not read is unknown: it is held and said, and nothing is changed for it.

The environment variable SPARKFORM_FUZZ_EXAMPLES sets how many subsets of unread items are tried of
the recorded racks; `make test` asks for two thousand.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from sparkform.commands.plan.report import StackPlan, build_report
from sparkform.commands.plan.text import render_sections
from sparkform.config import Declaration, parse_config
from sparkform.doctor import diagnose
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.report.facts import NodeReport
from sparkform.report.rack_report import Observation, QueryResult
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.figures import estimate_services
from tests.support.planning import STACK, build_declaration, get_agent_sha256, load_reports
from tests.support.recorded import load_recording
from tests.support.unread import REASON, hide_in_rack, hide_items, list_items
from tests.unit.doctor.test_native import build_native_stack, record_sparks
from tests.unit.plan.test_services import apply_plan, build_plan, build_service_declaration

EXAMPLES = settings(max_examples=int(os.environ.get("SPARKFORM_FUZZ_EXAMPLES", "40")))
SAID = f"unknown ({REASON}); not changed in this run"
Reports = dict[str, NodeReport]


@dataclass(frozen=True)
class RecordedRack:
    declaration: Declaration
    reports: Reports
    sha256: str

    def plan(self, reports: Reports) -> RackPlan:
        return plan_rack(self.declaration, reports, STACK, self.sha256)


@cache
def load_serving_reports() -> Reports:
    """The rack that is up, with a service of two ranks that runs as declared."""
    reports = load_reports("direct-2-up")
    return apply_plan(build_plan(build_service_declaration(), reports), reports)


@cache
def load_racks() -> dict[str, RecordedRack]:
    racks = {}
    for name, topology, count in (
        ("direct-2-untouched", "direct", 2),
        ("direct-2-up", "direct", 2),
        ("switch-3-untouched", "switch", 3),
        ("switch-3-up", "switch", 3),
        ("direct-gpu-and-dockerd-gone", "direct", 2),
        ("direct-one-half-without-a-link", "direct", 2),
    ):
        reports = dict(load_recording(name).reports)
        declaration = build_declaration(topology, count)
        racks[name] = RecordedRack(declaration, reports, get_agent_sha256(reports))
    sha256 = get_agent_sha256(load_reports("direct-2-up"))
    serving = load_serving_reports()
    racks["serving"] = RecordedRack(build_service_declaration(), serving, sha256)
    changed = build_service_declaration(maxSeqLen=4096)
    racks["changed service"] = RecordedRack(changed, serving, sha256)
    watched = parse_config(
        build_declaration("switch", 3, models=["Qwen/Qwen3-8B"]).cluster.to_plain(), {}, {}
    )
    racks["models and monitoring"] = RecordedRack(watched, load_reports("switch-3-up"), sha256)
    apart = build_declaration("none", 2)
    racks["no fabric"] = RecordedRack(apart, load_reports("direct-2-untouched"), sha256)
    twice = {
        name: link_both_ports(item) for name, item in load_reports("direct-2-untouched").items()
    }
    racks["both ports linked"] = RecordedRack(build_declaration("direct", 2), twice, sha256)
    native = dict(record_sparks().reports)
    racks["native"] = RecordedRack(build_native_stack(), native, get_agent_sha256(native))
    return racks


def link_both_ports(report: NodeReport) -> NodeReport:
    """Only another node's addresses tell which port is the fabric's."""
    interfaces = tuple(
        interface.model_copy(update={"carrier": interface.carrier or interface.port is not None})
        for interface in report.facts.interfaces or ()
    )
    facts = report.facts.model_copy(update={"interfaces": interfaces})
    return report.model_copy(update={"facts": facts})


@st.composite
def draw_unread_racks(draw: st.DrawFn) -> tuple[RecordedRack, Reports]:
    rack = load_racks()[draw(st.sampled_from(sorted(load_racks())))]
    reports = {}
    for name, report in rack.reports.items():
        items = draw(st.sets(st.sampled_from(list_items(report)), max_size=6))
        reports[name] = hide_items(report, sorted(items), late=draw(st.booleans()))
    return rack, reports


def list_changes(plan: RackPlan) -> dict[tuple[str, str], tuple[object, object]]:
    return {
        (step.node, step.step): (step.want, step.have) for step in plan.steps if step.is_changing
    }


def observe(reports: Reports) -> Observation:
    return Observation(nodes={name: QueryResult(report=item) for name, item in reports.items()})


@EXAMPLES
@given(draw_unread_racks())
def test_whatever_was_not_read_changes_nothing_that_would_not_change_otherwise(
    drawn: tuple[RecordedRack, Reports],
) -> None:
    rack, reports = drawn
    plan, known_plan = rack.plan(reports), rack.plan(rack.reports)
    assert list_changes(plan).items() <= list_changes(known_plan).items()
    for name, service in plan.services.items():
        if service.lines != known_plan.services[name].lines:
            assert service.unknown
            assert all(step.is_held for step in service.steps)
    for line in plan.unknown_lines:
        assert "unknown (" in line
        assert line.endswith("not changed in this run")


@EXAMPLES
@given(draw_unread_racks())
def test_whatever_was_not_read_is_shown_and_judged_without_a_traceback(
    drawn: tuple[RecordedRack, Reports],
) -> None:
    rack, reports = drawn
    plan = rack.plan(reports)
    context = Context(
        declaration=rack.declaration,
        reports=reports,
        network=plan.network,
        launches=plan.launches,
    )
    verdict = evaluate(context)
    if not plan.problems:
        figures = estimate_services(context)
        stack_plan = StackPlan("p/s", rack.declaration, plan, verdict, figures)
        assert list(render_sections(build_report(stack_plan)))
    rows = diagnose(rack.declaration, STACK, observe(reports), rack.sha256)
    known = diagnose(rack.declaration, STACK, observe(rack.reports), rack.sha256)
    known_faults = {(row.node, row.name) for row in known if row.status == "fail"}
    for row in rows:
        is_new_fault = row.status == "fail" and (row.node, row.name) not in known_faults
        assert not is_new_fault or "unknown" in row.message, row


def test_a_step_whose_state_is_late_is_held_and_said() -> None:
    rack = load_racks()["direct-2-up"]
    plan = rack.plan(hide_in_rack(rack.reports, "spark-2", "step docker_daemon"))
    assert list_changes(plan) == {}
    assert plan.unknown_lines == (f"spark-2 docker_daemon: {SAID}",)


def test_what_builds_on_an_unknown_step_waits_and_the_rest_goes_on() -> None:
    rack = load_racks()["direct-2-untouched"]
    plan = rack.plan(hide_in_rack(rack.reports, "spark-2", "step docker_daemon"))
    held_steps = {f"{step.node} {step.step}" for step in plan.steps if step.unknown}
    assert held_steps == {
        "spark-2 docker_daemon",
        "spark-2 swarm",
        "spark-1 swarm_labels",
        "spark-1 fabric_check:0",
        "spark-2 fabric_check:0",
    }
    assert "spark-2 nccl_conf" in {f"{step.node} {step.step}" for step in plan.steps} - held_steps


@pytest.mark.parametrize("item", ["step docker_daemon", "fact gpu", "step swarm", "fact host"])
def test_a_service_that_runs_is_left_alone_whatever_else_is_late(item: str) -> None:
    rack = load_racks()["serving"]
    plan = rack.plan(hide_in_rack(rack.reports, "spark-2", item))
    assert plan.services["qwen"].lines == ()
    assert list_changes(plan).items() <= list_changes(rack.plan(rack.reports)).items()


def test_a_service_of_which_a_rank_is_unknown_is_held_under_its_token() -> None:
    rack = load_racks()["serving"]
    token = rack.plan(rack.reports).services["qwen"].token
    service = rack.plan(hide_in_rack(rack.reports, "spark-2", "step stop_previous:qwen")).services[
        "qwen"
    ]
    line = f"service qwen: unknown (spark-2 stop_previous: {REASON}); not changed in this run"
    assert (service.lines, service.token) == ((line,), token)
    assert all(step.is_held for step in service.steps)


def test_a_rank_that_is_known_to_have_ended_is_still_restarted() -> None:
    """The control: what was read is acted on."""
    rack = load_racks()["serving"]
    state: JsonValue = {"members": []}
    report = rack.reports["spark-2"]
    gone = report.model_copy(update={"steps": {**report.steps, "stop_previous:qwen": state}})
    (line,) = rack.plan({**rack.reports, "spark-2": gone}).services["qwen"].lines
    assert line == "service qwen: rank 1 on spark-2 is gone, will be started again with the rest"


def test_a_step_that_would_stop_a_service_waits_until_the_service_could_start_again() -> None:
    rack = load_racks()["serving"]
    report = rack.reports["spark-1"]
    docker = report.steps["docker_daemon"]
    assert isinstance(docker, dict)
    steps = {**report.steps, "docker_daemon": {**docker, "default_runtime": "runc"}}
    drifted = {**rack.reports, "spark-1": report.model_copy(update={"steps": steps})}
    assert ("spark-1", "docker_daemon") in list_changes(rack.plan(drifted))
    plan = rack.plan(hide_in_rack(drifted, "spark-2", "step prerequisites"))
    assert ("spark-1", "docker_daemon") not in list_changes(plan)
    assert plan.services["qwen"].lines == ()


def test_a_node_whose_interfaces_were_not_read_keeps_its_fabric() -> None:
    rack = load_racks()["switch-3-up"]
    plan = rack.plan(hide_in_rack(rack.reports, "spark-2", "fact interfaces"))
    assert plan.problems == ()
    assert list_changes(plan) == {}
    reason = f"unknown (fact interfaces: {REASON}); not changed in this run"
    assert f"spark-2 fabric_address: {reason}" in plan.unknown_lines
    assert {line.split()[0] for line in plan.unknown_lines if "fabric_check" not in line} == {
        "spark-2"
    }
    known = rack.plan(rack.reports).network
    assert (plan.network.cables, plan.network.fabric) == (known.cables, known.fabric)


@pytest.mark.parametrize("item", ["fact interfaces", "fact routes"])
def test_the_rest_of_a_node_whose_network_was_not_read_goes_on(item: str) -> None:
    rack = load_racks()["direct-2-untouched"]
    plan = rack.plan(hide_in_rack(rack.reports, "spark-2", item))
    assert plan.problems == ()
    changing = {f"{step.node} {step.step}" for step in plan.steps if step.is_changing}
    assert {"spark-2 docker_daemon", "spark-1 fabric_address", "spark-1 swarm"} <= changing
    held_steps = {f"{step.node} {step.step}" for step in plan.steps if step.unknown}
    assert held_steps == {
        "spark-2 fabric_address",
        "spark-2 fabric_confirm",
        "spark-2 swarm",
        "spark-1 swarm_labels",
        "spark-1 fabric_check:0",
        "spark-2 fabric_check:0",
    }


@pytest.mark.parametrize("node", ["spark-1", "spark-2"])
def test_a_service_on_a_node_whose_interfaces_were_not_read_is_held(node: str) -> None:
    rack = load_racks()["serving"]
    token = rack.plan(rack.reports).services["qwen"].token
    plan = rack.plan(hide_in_rack(rack.reports, node, "fact interfaces"))
    service = plan.services["qwen"]
    assert (plan.problems, service.token) == ((), token)
    assert f"{node} fact interfaces: {REASON}" in str(service.unknown)
    assert list_changes(plan).items() <= list_changes(rack.plan(rack.reports)).items()


def test_a_port_is_not_chosen_by_what_another_node_did_not_read() -> None:
    rack = load_racks()["both ports linked"]
    plan = rack.plan(hide_in_rack(rack.reports, "spark-2", "fact interfaces"))
    line = f"fact interfaces of spark-2: {REASON}"
    assert (
        f"spark-1 fabric_address: unknown ({line}); not changed in this run" in plan.unknown_lines
    )
    assert ("spark-1", "fabric_address") in list_changes(rack.plan(rack.reports))


def test_a_node_of_which_no_address_is_known_still_stops_the_run() -> None:
    reports = load_reports("direct-2-untouched")
    nodes = [{"name": f"spark-{number}", "host": f"spark-{number}.lan"} for number in (1, 2)]
    declaration = build_declaration("direct", 2, nodes=nodes)
    hidden = hide_in_rack(reports, "spark-2", "fact interfaces", "fact login")
    (problem,) = plan_rack(declaration, hidden, STACK, "new").problems
    assert f"fact interfaces of spark-2 is unknown ({REASON})" in str(problem)


def test_a_service_that_was_never_started_waits_for_all_that_it_needs() -> None:
    rack = load_racks()["serving"]
    bare = load_reports("direct-2-up")
    plan = rack.plan(hide_in_rack(bare, "spark-2", "step stop_previous"))
    assert plan.problems == ()
    reports = hide_in_rack(bare, "spark-2", "step prerequisites")
    (problem,) = rack.plan(reports).problems
    assert str(problem).startswith(
        f"services.qwen: qwen cannot be started: spark-2 prerequisites: {REASON}"
    )


def test_a_docker_that_hangs_under_containers_stops_the_run_in_one_sentence() -> None:
    rack = load_racks()["serving"]
    (problem,) = rack.plan(hide_in_rack(rack.reports, "spark-2", "fact docker")).problems
    assert f"docker of spark-2 is unknown ({REASON})" in str(problem)
