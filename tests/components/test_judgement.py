"""What a run registers before it goes on or stops: a policy pack must have something to see."""

from __future__ import annotations

from dataclasses import replace

import pulumi
import pytest

from components.judgement import judge
from sparkform.config import parse_config
from sparkform.errors import Problem
from sparkform.plan.rack import plan_rack
from sparkform.rules.props import RACK_TYPE, SERVICE_TYPE
from tests.support.planning import STACK, declared, recorded
from tests.support.registrations import Record, recording

SERVICE = {
    "engine": "vllm",
    "runtime": "native",
    "model": "Qwen/Qwen3-8B",
    "port": 8000,
    "gpuMemoryUtilization": 0.8,
}


def judged(services: dict[str, object], problems: list[Problem]) -> tuple[Record, str]:
    """What was registered, and the refusal's text, empty where the run may go on."""
    plain = declared("direct", 2).cluster.plain()
    spec, said = parse_config(plain, services), []
    plan = plan_rack(spec, recorded("direct-2-up"), STACK, "any")
    plan = replace(plan, problems=tuple(problems))
    with recording() as record:

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def run() -> None:
            try:
                judge(spec, recorded("direct-2-up"), frozenset(), plan)
            except pulumi.RunError as error:
                said.append(str(error))

        run()
    return record, "".join(said)


def types(record: Record) -> list[str]:
    return sorted(one.type for one in record.found.values() if one.type.startswith("sparkform:"))


def test_a_rack_without_services_may_go_on() -> None:
    record, refusal = judged({}, [])
    assert refusal == ""
    assert types(record) == [RACK_TYPE]


def test_a_problem_of_the_plan_stops_the_run_after_the_rack_is_registered() -> None:
    record, refusal = judged({}, [Problem(path="cluster.fabric.pool", what="overlaps a route")])
    assert refusal == "cluster.fabric.pool: overlaps a route"
    assert types(record) == [RACK_TYPE]


def test_a_service_is_shown_to_policies_though_it_is_refused() -> None:
    record, refusal = judged({"chat": SERVICE}, [Problem(path="services.chat", what="is wrong")])
    assert "services.chat: is wrong" in refusal
    assert types(record) == sorted([RACK_TYPE, SERVICE_TYPE])


@pytest.mark.parametrize("value", ["1", ""])
def test_a_pinned_gid_index_is_refused_by_its_rule(value: str) -> None:
    _, refusal = judged({"chat": {**SERVICE, "environment": {"NCCL_IB_GID_INDEX": value}}}, [])
    assert "[gid-pinned]" in refusal
