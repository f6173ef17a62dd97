"""What the next run says where a change has failed and the launch before it serves again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sparkform.plan.launch_differences import summarize_launch
from sparkform.report.facts import NodeReport
from tests.support.planning import load_reports
from tests.unit.plan.test_services import (
    add_states,
    apply_plan,
    build_plan,
    build_service_declaration,
    describe_supervised,
)

CAUSE = "rank 0 on spark-1: the engine is out of memory [out-of-memory]"
FAILED = (
    "service qwen: its last change failed, so the launch before it serves again, and will be "
    f"replaced: {CAUSE}"
)
CHANGE: dict[str, Any] = {"gpuMemoryUtilization": 0.95}


@pytest.fixture
def restored() -> dict[str, NodeReport]:
    """As the nodes report it: the receipts are the changed launch's, what runs is the old one."""
    untouched = load_reports("direct-2-up")
    old = build_plan(build_service_declaration(), untouched).services["qwen"]
    up = apply_plan(build_plan(build_service_declaration(), untouched), untouched)
    reports = apply_plan(build_plan(build_service_declaration(**CHANGE), up), up)
    for launch in old.launches:
        member = {"kind": "container", "name": launch.name, "rank": launch.rank, "alive": True}
        restored_launch = {"token": old.token, "failure": CAUSE, "launch": summarize_launch(launch)}
        reports[launch.node] = add_states(
            reports[launch.node],
            stop_previous__qwen={
                "members": [{**member, "token": old.token}],
                "restored": restored_launch,
            },
            supervise__qwen=describe_supervised(old, launch.node),
        ).model_copy(update={"next_run": 7})
    return reports


def test_the_change_that_failed_is_named_with_its_cause(restored: dict[str, NodeReport]) -> None:
    service = build_plan(build_service_declaration(**CHANGE), restored).services["qwen"]
    assert service.lines == (
        "service qwen: --gpu-memory-utilization is 0.5, will be 0.95",
        FAILED,
    )


def test_a_change_taken_back_makes_the_old_launch_pulumis_own(
    restored: dict[str, NodeReport],
) -> None:
    """The run that Pulumi knows is the failed one, so the token cannot be passed again."""
    service = build_plan(build_service_declaration(), restored).services["qwen"]
    assert service.lines == (FAILED,)
    steps: Any = restored["spark-1"].steps
    token = steps["stop_previous:qwen"]["members"][0]["token"]
    assert service.token != token
    assert service.token.rpartition("-")[0] == token.rpartition("-")[0]


def test_what_was_replaced_since_is_told_no_more(restored: dict[str, NodeReport]) -> None:
    declaration = build_service_declaration(**CHANGE)
    again = apply_plan(build_plan(declaration, restored), restored)
    assert build_plan(declaration, again).services["qwen"].lines == ()


@pytest.mark.parametrize(("keys", "wanted"), [({}, None), ({"onFailure": "stay"}, "stay")])
def test_a_node_is_told_where_nothing_is_to_follow(keys: dict[str, Any], wanted: Any) -> None:
    declaration = build_service_declaration(**keys)
    service = build_plan(declaration, load_reports("direct-2-up")).services["qwen"]
    documents = [step.decision.document for step in service.stop_previous.steps.values()]
    assert [json.loads(text)["want"].get("on_failure") for text in documents] == [wanted, wanted]
