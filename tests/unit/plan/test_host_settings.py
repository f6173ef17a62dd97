"""Settings of the machines: none unless declared, a node's own, unknown where unread."""

from __future__ import annotations

from typing import Any

import pytest

from node.steps import STEPS, gpu_clock, package_hold
from sparkform.config import Declaration
from sparkform.errors import InputError
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.targets import list_targets
from sparkform.report.facts import NodeReport, UnreadableItem
from tests.support.planning import build_declaration, build_plan, load_reports

HOST_STEPS = ("gpu_clock", "page_cache", "earlyoom", "package_hold")
ALL: dict[str, Any] = {
    "gpuClockMhz": 2100,
    "memoryGuard": {},
    "hold": ["docker", "kernel"],
    "kernelParameters": ["kho=off"],
}
CLOCKS = {"asked": True, "current_mhz": 208, "highest_mhz": 3003, "supported_mhz": [2100, 2115]}
PACKAGES = {
    "asked": True,
    "held": {"kernel": ["linux-image-6.14.0-1013-nvidia"]},
    "free": {"docker": ["docker-ce"], "driver": ["nvidia-driver-580-open"]},
}


def declare(own: dict[str, Any] | None = None, **host: Any) -> Declaration:
    declaration = build_declaration("direct", 2, host=host)
    if own is None:
        return declaration
    cluster = declaration.cluster.to_plain()
    cluster["nodes"][1]["hostSettings"] = own
    return build_declaration("direct", 2, host=host, nodes=cluster["nodes"])


def report(**steps: object) -> dict[str, NodeReport]:
    """The rack as it is up, with these reports of steps on each node."""
    return {
        name: entry.model_copy(update={"steps": {**entry.steps, **steps}})
        for name, entry in load_reports("direct-2-up").items()
    }


def list_lines(plan: RackPlan, node: str = "spark-2") -> list[str]:
    return [line for step in HOST_STEPS for line in plan.nodes[node][step].lines]


def test_nothing_is_planned_or_asked_unless_declared() -> None:
    plan = build_plan(declare(), load_reports("direct-2-up"))
    assert not set(HOST_STEPS) & {step.step for step in plan.steps}
    for target in list_targets(declare()):
        assert not set(HOST_STEPS) & set(target.steps)


def test_what_is_declared_is_asked_for_and_planned() -> None:
    declaration = declare(**ALL)
    assert set(HOST_STEPS) <= set(list_targets(declaration)[0].steps)
    reports = report(
        gpu_clock=CLOCKS,
        package_hold=PACKAGES,
        page_cache={"asked": True},
        earlyoom={"asked": True, "is_installed": True},
    )
    plan = build_plan(declaration, reports)
    assert list_lines(plan) == [
        "spark-2 gpu_clock: GPU clock is not limited, will be at 2100 MHz",
        "spark-2 page_cache: free memory that starts keep, in KiB, is unset, will be 8388608",
        "spark-2 earlyoom: earlyoom has other settings, will be set up and started",
        "spark-2 package_hold: not held by apt: docker-ce; will be held",
    ]
    want = plan.nodes["spark-2"]["package_hold"].want
    assert want == package_hold.Want(
        ("kernel", "docker"), ("docker-ce", "linux-image-6.14.0-1013-nvidia")
    )
    assert all(plan.nodes["spark-2"][step].disturbance == "none" for step in HOST_STEPS)


def test_a_nodes_own_key_takes_the_place_of_the_clusters() -> None:
    plan = build_plan(declare({"gpuClockMhz": 2115, "hold": []}, **ALL), report(gpu_clock=CLOCKS))
    assert plan.nodes["spark-1"]["gpu_clock"].want == gpu_clock.Want(2100)
    assert plan.nodes["spark-2"]["gpu_clock"].want == gpu_clock.Want(2115)
    assert "package_hold" not in plan.nodes["spark-2"]
    assert "page_cache" in plan.nodes["spark-2"]


def test_without_earlyoom_the_rest_of_the_guard_stays() -> None:
    plan = build_plan(declare(memoryGuard={"earlyoom": False}), load_reports("direct-2-up"))
    assert "earlyoom" not in plan.nodes["spark-1"]
    assert "page_cache" in plan.nodes["spark-1"]


@pytest.mark.parametrize("step", HOST_STEPS)
def test_what_was_not_read_is_left_as_it_is(step: str) -> None:
    reports = {
        name: entry.model_copy(
            update={
                "steps": {**entry.steps, step: None},
                "unreadable": (UnreadableItem(what=f"step {step}", why="no answer"),),
            }
        )
        for name, entry in load_reports("direct-2-up").items()
    }
    planned = build_plan(declare(**ALL), reports).nodes["spark-1"][step]
    assert planned.is_held
    assert planned.lines == (f"spark-1 {step}: unknown (no answer); not changed in this run",)


def test_facts_that_were_recorded_before_say_nothing_of_it() -> None:
    plan = build_plan(declare(**ALL), load_reports("direct-2-up"))
    for step in HOST_STEPS:
        planned = plan.nodes["spark-1"][step]
        assert planned.is_held
        assert "unknown (the node was not asked for it" in planned.lines[0]


def test_a_clock_that_the_card_does_not_have_is_refused_before_anything_is_done() -> None:
    plan = build_plan(declare(gpuClockMhz=2101), report(gpu_clock=CLOCKS))
    (refusal,) = plan.nodes["spark-1"]["gpu_clock"].refusals
    assert refusal.startswith("host.gpuClockMhz: the GPU has no such clock (got 2101)")
    assert STEPS["gpu_clock"].find_refusals is gpu_clock.find_refusals


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ({"gpuClockMhz": "fast"}, "cluster.host.gpuClockMhz"),
        ({"gpuClockMhz": 0}, "cluster.host.gpuClockMhz"),
        ({"hold": ["firmware"]}, "cluster.host.hold[0]"),
        ({"kernelParameters": ["a b"]}, "cluster.host.kernelParameters[0]"),
        ({"memoryGuard": {"minFreeGib": -1}}, "cluster.host.memoryGuard.minFreeGib"),
        ({"memoryGuard": {"minFree": 8}}, "cluster.host.memoryGuard.minFree"),
        ({"gpuClock": 2000}, "cluster.host.gpuClock"),
    ],
)
def test_a_wrong_value_is_refused_by_its_path(host: dict[str, Any], path: str) -> None:
    with pytest.raises(InputError) as caught:
        declare(**host)
    assert [problem.path for problem in caught.value.problems] == [path]
