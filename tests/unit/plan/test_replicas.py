"""Replicas in the plan: another number of them, or other nodes, is the business of the groups that
differ, and of no other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sparkform.config import Declaration, parse_config
from sparkform.fabric.network import plan_network
from sparkform.launch import Launch, plan_launches
from sparkform.plan.context import PlanContext
from sparkform.plan.secrets import NO_SECRETS
from sparkform.plan.service_state import get_service_state
from sparkform.plan.services import ServicePlan, plan_services
from sparkform.report.facts import NodeReport
from tests.support.planning import STACK, load_reports
from tests.unit.config.support import build_cluster
from tests.unit.launch.racks import build_sparks
from tests.unit.plan.test_services import (
    SERVICE,
    add_receipts,
    add_states,
    build_declaration_with,
    build_plan,
    describe_supervised,
    hash_text,
    list_changing,
)

NODES = [f"spark-{number}" for number in range(1, 5)]
ONE_NODE = SERVICE | {"tensorParallel": 1}


def build_block(nodes: list[str], replicas: int, **keys: Any) -> dict[str, Any]:
    sizes = {"tensorParallel": len(nodes) // replicas}
    return SERVICE | sizes | {"nodes": nodes, "replicas": replicas} | keys


@dataclass
class ServicesRun:
    """A rack of four to which one declaration after another is brought; only the services."""

    bare: dict[str, NodeReport] = field(default_factory=lambda: build_sparks(len(NODES)))
    reports: dict[str, NodeReport] = field(default_factory=dict)
    runs: int = 0

    def __post_init__(self) -> None:
        self.reports = dict(self.bare)

    def plan(self, declaration: Declaration) -> dict[str, ServicePlan]:
        network, problems = plan_network(declaration, self.reports)
        launched = plan_launches(declaration, network, self.reports)
        assert (problems, launched.problems) == ([], ())
        context = PlanContext(declaration, network, self.reports, STACK)
        states = {name: get_service_state(name, context) for name in launched.services}
        return plan_services(context, launched.services, states, (), NO_SECRETS)

    def up(self, declaration: Declaration) -> dict[str, ServicePlan]:
        """What was planned. Afterwards nodes report that, and nothing of what is declared no
        more."""
        plans = self.plan(declaration)
        self.runs += 1
        self.reports = {
            name: report.model_copy(update={"next_run": 100 * self.runs})
            for name, report in self.bare.items()
        }
        for service in plans.values():
            self._apply(service)
        return plans

    def _apply(self, service: ServicePlan) -> None:
        reports = self.reports
        for step in service.steps:
            receipts = {step.step: step.decision.document}
            reports[step.node] = add_receipts(reports[step.node], receipts)
        for launch in service.launches:
            states = describe_rank(service, launch)
            reports[launch.node] = add_states(reports[launch.node], **states)


def describe_rank(service: ServicePlan, launch: Launch) -> dict[str, Any]:
    files = json.loads(service.preparation[-1].steps[launch.node].decision.document)["want"]
    digests = {
        file["path"]: {"mode": file["mode"], "sha256": hash_text(file["text"])}
        for file in files["files"]
    }
    member = {
        "kind": "container",
        "name": launch.name,
        "rank": launch.rank,
        "token": service.token,
        "alive": True,
    }
    return {
        f"stop_previous__{launch.service}": {"members": [member]},
        f"launch_files__{launch.service}": {"files": digests, "secrets": {}},
        f"supervise__{launch.service}": describe_supervised(service, launch.node),
        f"supervision_key__{launch.service}": {"token": service.token},
    }


def declare(**services: dict[str, Any]) -> Declaration:
    return parse_config(build_cluster(len(NODES)), services)


def describe_group(service: ServicePlan) -> tuple[object, ...]:
    """All that its resources are made of: its steps' documents, its ranks and their token."""
    documents = [(step.node, step.step, step.decision.document) for step in service.steps]
    return documents, service.launches, service.token


@st.composite
def draw_service(draw: st.DrawFn) -> dict[str, Any]:
    nodes = draw(st.permutations(NODES))[: draw(st.integers(1, len(NODES)))]
    divisors = [number for number in range(1, len(nodes) + 1) if len(nodes) % number == 0]
    return build_block(list(nodes), draw(st.sampled_from(divisors)))


@given(st.lists(draw_service(), min_size=2, max_size=5))
@settings(deadline=None, max_examples=60)
def test_only_groups_that_differ_start_or_stop(blocks: list[dict[str, Any]]) -> None:
    rack = ServicesRun()
    before: dict[str, ServicePlan] = {}
    for block in blocks:
        declaration = declare(qwen=block)
        after = rack.up(declaration)
        for name, service in after.items():
            if name in before and before[name].launches == service.launches:
                assert service.lines == (), name
                assert describe_group(service) == describe_group(before[name]), name
            else:
                assert service.lines, name
        assert all(not service.lines for service in rack.plan(declaration).values())
        before = after


@given(st.permutations(NODES), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=30)
def test_further_groups_leave_those_that_are_there_untouched(
    nodes: list[str], most: int, size: int
) -> None:
    """Group by group up, and down again, however large each is."""
    most = min(most, len(nodes) // size)
    numbers = [*range(1, most + 1), *range(most - 1, 0, -1)]
    rack = ServicesRun()
    first: dict[str, ServicePlan] = {}
    for number in numbers:
        plans = rack.up(declare(qwen=build_block(list(nodes)[: number * size], number)))
        assert len(plans) == number
        for name, service in plans.items():
            if name in first:
                assert describe_group(service) == describe_group(first[name])
        first = plans


def test_a_group_beside_another_service_leaves_that_one_running() -> None:
    """It comes later, so that it takes no port of the one that runs on its node."""
    rack = ServicesRun()
    small = build_block([NODES[1]], 1, port=8001)
    before = rack.up(declare(chat=build_block(NODES[:1], 1), embed=small))
    after = rack.up(declare(chat=build_block(NODES[:2], 2), embed=small))
    assert after["embed"].lines == after["chat"].lines == ()
    assert after["embed"].token == before["embed"].token
    assert after["chat_2"].lines == ("service chat_2: does not run, will be started",)


def test_a_setting_that_differs_starts_all_groups_anew() -> None:
    rack = ServicesRun()
    rack.up(declare(qwen=build_block(NODES[:2], 2)))
    plans = rack.plan(declare(qwen=build_block(NODES[:2], 2, maxSeqLen=4096)))
    assert [service.lines for service in plans.values()] == [
        (f"service {name}: --max-model-len is unset, will be 4096",) for name in plans
    ]


def test_a_group_that_lost_a_rank_starts_again_alone() -> None:
    rack = ServicesRun()
    declaration = declare(qwen=build_block(NODES, 2))
    rack.up(declaration)
    gone: dict[str, Any] = {"stop_previous__qwen_2": {"members": []}, "supervise__qwen_2": None}
    rack.reports[NODES[3]] = add_states(rack.reports[NODES[3]], **gone)
    rack.reports[NODES[2]] = add_states(rack.reports[NODES[2]], supervise__qwen_2=None)
    plans = rack.plan(declaration)
    assert plans["qwen"].lines == ()
    assert plans["qwen_2"].lines
    assert plans["qwen_2"].token.rpartition("-")[0] != plans["qwen"].token.rpartition("-")[0]


def test_one_replica_is_planned_as_a_service_that_declares_none() -> None:
    rack = ServicesRun()
    declared = build_block(NODES[:2], 1)
    plain = {key: value for key, value in declared.items() if key != "replicas"}
    assert rack.plan(declare(qwen=declared)) == rack.plan(declare(qwen=plain))


def test_a_second_replica_brings_its_node_what_it_needs_and_asks_nothing_of_the_first() -> None:
    reports = load_reports("direct-2-up")
    alone = build_declaration_with({"qwen": ONE_NODE | {"nodes": ["spark-1"]}})
    both = build_declaration_with({"qwen": ONE_NODE | {"replicas": 2}})
    before, after = build_plan(alone, reports), build_plan(both, reports)
    kinds = ("launch_files", "stop_previous", "ready", "supervise", "supervision_key")
    further = {f"spark-2 {kind}:qwen_2" for kind in kinds} | {"spark-1 group:qwen_2"}
    assert list_changing(after) - list_changing(before) == further
    assert describe_group(after.services["qwen"]) == describe_group(before.services["qwen"])
    (transfer,) = after.images.values()
    assert (transfer.source, list(transfer.steps)) == ("spark-1", ["spark-1", "spark-2"])
    assert transfer.steps["spark-1"] == before.images["qwen"].steps["spark-1"]
