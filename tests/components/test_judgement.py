"""What a run registers before it goes on or stops: a policy pack must have something to see."""

from __future__ import annotations

from dataclasses import replace

import pulumi
import pytest

from components import judgement
from components.judgement import judge_run
from sparkform.config import parse_config
from sparkform.errors import Problem
from sparkform.fabric.network import Network
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.steps import StepRecord, hold_unknown
from sparkform.rules.props import RACK_TYPE, SERVICE_TYPE
from tests.support.planning import STACK, build_declaration, load_reports
from tests.support.registrations import RegistrationMonitor, record_registrations

SERVICE = {
    "engine": "vllm",
    "runtime": "native",
    "model": "Qwen/Qwen3-8B",
    "port": 8000,
    "gpuMemoryUtilization": 0.8,
}

HELD = hold_unknown(StepRecord("o", "spark-2", "agent", None, 1), "no answer in 4.8 s")


def judge(services: dict[str, object], problems: list[Problem]) -> tuple[RegistrationMonitor, str]:
    """What was registered, and the refusal's text, empty where the run may go on."""
    cluster = build_declaration("direct", 2).cluster.to_plain()
    declaration, messages = parse_config(cluster, services), []
    plan = plan_rack(declaration, load_reports("direct-2-up"), STACK, "any")
    plan = replace(plan, problems=tuple(problems))
    with record_registrations() as record:

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def run() -> None:
            try:
                judge_run(declaration, load_reports("direct-2-up"), frozenset(), plan)
            except pulumi.RunError as error:
                messages.append(str(error))

        run()
    return record, "".join(messages)


def types(record: RegistrationMonitor) -> list[str]:
    return sorted(
        registered.type
        for registered in record.by_name.values()
        if registered.type.startswith("sparkform:")
    )


def test_a_rack_without_services_may_go_on() -> None:
    record, refusal = judge({}, [])
    assert refusal == ""
    assert types(record) == [RACK_TYPE]


def test_a_problem_of_the_plan_stops_the_run_after_the_rack_is_registered() -> None:
    record, refusal = judge({}, [Problem(path="cluster.fabric.pool", message="overlaps a route")])
    assert refusal == "cluster.fabric.pool: overlaps a route"
    assert types(record) == [RACK_TYPE]


def test_a_service_is_shown_to_policies_though_it_is_refused() -> None:
    record, refusal = judge({"chat": SERVICE}, [Problem(path="services.chat", message="is wrong")])
    assert "services.chat: is wrong" in refusal
    assert types(record) == sorted([RACK_TYPE, SERVICE_TYPE])


@pytest.mark.parametrize("value", ["1", ""])
def test_a_pinned_gid_index_is_refused_by_its_rule(value: str) -> None:
    _, refusal = judge({"chat": {**SERVICE, "environment": {"NCCL_IB_GID_INDEX": value}}}, [])
    assert "[gid-pinned]" in refusal


def test_only_a_run_that_held_nothing_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    held = RackPlan(Network((), {}, {}), nodes={"spark-2": {"agent": HELD}})
    monkeypatch.setattr(judgement, "is_dry_run", lambda: False)
    judgement.require_whole_look(RackPlan(Network((), {}, {})))
    with pytest.raises(pulumi.RunError, match=r"spark-2 agent: unknown \(no answer in 4.8 s\)"):
        judgement.require_whole_look(held)
    monkeypatch.setattr(judgement, "is_dry_run", lambda: True)
    judgement.require_whole_look(held)
