"""A Swarm's head holds each rank's service at no task or one, and changes nothing else of it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from node.host.system import HttpAnswer
from node.host.typed_json import parse
from node.supervision.messages import MemberReport, Order
from node.supervision.moment import Moment
from node.supervision.orders import build_order
from node.supervision.situation import GroupView, Situation
from node.supervision.state import CoordinatorRecord
from node.supervision.swarm_scale import SwarmSight, hold_scale
from tests.support.fake_system import FakeSystem
from tests.unit.node.supervision.conftest import build_target

TARGET = build_target(
    runtime="swarm", swarm_head={"node": "spark-1", "address": "10.0.0.1", "port": 7680}
)


class FakeManager:
    """Services by id, with the version that each change must name."""

    def __init__(self) -> None:
        self.services: dict[str, dict[str, Any]] = {}
        self.tasks: list[dict[str, Any]] = []
        self.updates: list[str] = []
        self.is_silent = False
        for rank in range(2):
            labels = {
                "sparkform.service": "qwen",
                "sparkform.rank": str(rank),
                "sparkform.token": TARGET.token,
            }
            spec = {
                "Name": f"sparkform-qwen-{rank}",
                "Labels": labels,
                "Mode": {"Replicated": {"Replicas": 1}},
                "TaskTemplate": {"ForceUpdate": 3},
            }
            self.services[f"s{rank}"] = {"ID": f"s{rank}", "Version": {"Index": 7}, "Spec": spec}

    def answer(self, method: str, path: str, body: object) -> HttpAnswer:
        if self.is_silent:
            return HttpAnswer(0, "connection refused")
        resource, _, query = path.partition("?")
        if resource == "/tasks":
            return HttpAnswer(200, self.tasks)
        if resource == "/services":
            return HttpAnswer(200, list(self.services.values()))
        service = self.services[resource.split("/")[2]]
        if method == "GET":
            return HttpAnswer(200, json.loads(json.dumps(service)))
        if int(parse_qs(query)["version"][0]) != service["Version"]["Index"]:
            return HttpAnswer(500, {"message": "update out of sequence"})
        self.updates.append(resource)
        service["Spec"] = body
        service["Version"]["Index"] += 1
        return HttpAnswer(200, {})


@pytest.fixture
def manager(system: FakeSystem) -> FakeManager:
    manager = FakeManager()
    system.script.requests[("*", "*")] = manager.answer
    return manager


def order(*, up: tuple[int, ...] = (), down: tuple[int, ...] = ()) -> Order:
    return Order(2, "hold", "recovering", up=up, down=down)


def test_down_and_up_change_the_number_of_tasks_alone(
    system: FakeSystem, manager: FakeManager
) -> None:
    before = json.loads(json.dumps(manager.services["s0"]["Spec"]))
    assert hold_scale(system, TARGET, order(down=(0, 1))) == SwarmSight(())
    assert manager.services["s0"]["Spec"] == {**before, "Mode": {"Replicated": {"Replicas": 0}}}
    assert hold_scale(system, TARGET, order(up=(1,))) == SwarmSight((1,))
    assert manager.services["s0"]["Spec"]["Mode"] == {"Replicated": {"Replicas": 0}}


def test_a_task_goes_once_its_node_has_kept_the_log() -> None:
    record = CoordinatorRecord(2, "recovering", "stopping")
    for state, down in (("running", (0,)), ("stopping", (0,)), ("stopped", (0, 1))):
        reports = {
            0: MemberReport(2, "lost"),
            1: parse(MemberReport, {"epoch": 2, "state": state}, ""),
        }
        view = GroupView(Moment("boot-1", 1.0), 0.0, reports)
        assert build_order(Situation(TARGET, record, view), 0).down == down


def test_a_level_that_is_held_is_not_set_again(system: FakeSystem, manager: FakeManager) -> None:
    for _ in range(3):
        assert hold_scale(system, TARGET, order(up=(0, 1))) == SwarmSight((0, 1))
    assert manager.updates == []


def test_a_task_that_still_runs_keeps_its_rank_among_the_scaled(
    system: FakeSystem, manager: FakeManager
) -> None:
    manager.tasks = [{"ServiceID": "s1", "Status": {"State": "running"}}]
    assert hold_scale(system, TARGET, order(down=(0, 1))) == SwarmSight((1,))
    manager.tasks = [{"ServiceID": "s1", "Status": {"State": "shutdown"}}]
    assert hold_scale(system, TARGET, order(down=(0, 1))) == SwarmSight(())


def test_without_an_order_it_only_looks(system: FakeSystem, manager: FakeManager) -> None:
    assert hold_scale(system, TARGET, None) == SwarmSight((0, 1))
    assert manager.updates == []


def test_a_service_that_is_gone_and_a_swarm_that_is_silent_are_told_apart(
    system: FakeSystem, manager: FakeManager
) -> None:
    del manager.services["s1"]
    assert hold_scale(system, TARGET, order(up=(0, 1))) == SwarmSight((0,), (1,))
    manager.is_silent = True
    sight = hold_scale(system, TARGET, order(up=(0, 1)))
    assert (sight.scaled, sight.gone) == (None, ())
    assert "does not answer" in (sight.problem or "")


def test_a_change_of_somebody_else_is_said_and_tried_again(
    system: FakeSystem, manager: FakeManager
) -> None:
    answer = manager.answer

    def interfere(method: str, path: str, body: object) -> HttpAnswer:
        if method == "POST" and not manager.updates:
            manager.updates.append("interfered")
            manager.services["s0"]["Version"]["Index"] += 1
        return answer(method, path, body)

    system.script.requests[("*", "*")] = interfere
    sight = hold_scale(system, TARGET, order(down=(0,)))
    assert "update out of sequence" in (sight.problem or "")
    assert hold_scale(system, TARGET, order(down=(0,))) == SwarmSight((1,))
