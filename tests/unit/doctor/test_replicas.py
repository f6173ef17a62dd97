"""What the doctor says of replicas: rows for each, and what is read of one holds for it alone."""

from __future__ import annotations

from typing import cast

from sparkform.config import Declaration
from sparkform.doctor import add_probes
from sparkform.doctor.diagnosis import select_plannable
from sparkform.plan.targets import list_targets
from tests.support.node_reports import Fields
from tests.support.recorded import UP, load_recording, silence_node
from tests.unit.doctor.support import diagnose_recording, list_rows
from tests.unit.doctor.test_engines import (
    COMPLETION,
    build_rank_state,
    build_ready_state,
    build_serving_rack,
    record_ready_states,
)


def declare_replicas(**changes: object) -> Declaration:
    return build_serving_rack(replicas=2, tensorParallel=1, **changes)


def test_each_group_answers_for_itself() -> None:
    targets = add_probes(list_targets(declare_replicas()), declare_replicas())
    asked = {
        target.name: cast(list[Fields], target.steps["ready"]["services"]) for target in targets
    }
    assert [(node, row["service"], row["asks"]) for node, (row,) in asked.items()] == [
        ("spark-1", "qwen", True),
        ("spark-2", "qwen_2", True),
    ]
    assert {row["served_name"] for (row,) in asked.values()} == {"Qwen/Qwen3-8B"}


def test_a_dead_group_is_a_row_of_its_own() -> None:
    """Of another start is no fault: groups start by themselves."""
    alive = build_rank_state(0, token="4be1c0de00aa-3")
    dead = build_rank_state(0, name="sparkform-qwen_2-0", alive=False, ending="exit code 1")
    observation = record_ready_states(
        build_ready_state([alive], COMPLETION),
        {"qwen_2": build_ready_state([dead])["qwen"]},
    )
    checks = diagnose_recording(observation, declare_replicas())
    assert {check.status for check in list_rows(checks, "spark-1", "service qwen")} == {"ok"}
    (row,) = list_rows(checks, "spark-2", "service qwen_2")
    assert (row.status, "rank 0 is dead" in row.message) == ("fail", True)
    assert list_rows(checks, None, "service qwen") == []


def test_a_silent_node_takes_its_own_group_out_of_the_plan_and_no_other() -> None:
    observation = silence_node(load_recording(UP), "spark-2")
    for nodes in (None, ["spark-1", "spark-2"], ["spark-2", "spark-1"]):
        declaration = declare_replicas(**{"nodes": nodes} if nodes else {})
        known = select_plannable(declaration, observation.reports)
        (left,) = known.services
        assert [node.name for node in known.list_service_nodes(left)] == ["spark-1"]
        assert left == ("qwen_2" if nodes and nodes[0] == "spark-2" else "qwen")
