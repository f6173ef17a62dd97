"""What doctor says of engines: alive, dead, missing, of different starts, answering or not."""

from __future__ import annotations

from typing import cast

import pytest

from sparkform.config import Declaration
from sparkform.doctor import Check, add_probes
from sparkform.plan.targets import list_targets
from sparkform.report.rack_report import Observation
from tests.support.node_reports import Fields
from tests.support.recorded import (
    SWARM,
    UP,
    build_rack_declaration,
    change_report,
    load_recording,
    silence_node,
)
from tests.unit.doctor.support import diagnose_recording, get_row, list_rows

TOKEN = "4be1c0de00aa-3"
COMPLETION = {"url": "http://10.87.153.11:8000", "status": 200, "text": "Hi", "took_s": 0.2}
ROW_NAME = "service qwen"


def build_serving_rack(**changes: object) -> Declaration:
    cluster = build_rack_declaration(**SWARM).cluster
    block = {
        "engine": "vllm",
        "runtime": "container",
        "image": "vllm/vllm-openai:v0.32.0",
        "model": "Qwen/Qwen3-8B",
        "port": 8000,
        "tensorParallel": 2,
        "maxBatchSize": 4,
    }
    return Declaration.model_validate(
        {"cluster": cluster, "services": {"qwen": {**block, **changes}}}
    )


def build_rank_state(number: int, **changes: object) -> Fields:
    rank_state = {
        "kind": "container",
        "name": f"sparkform-qwen-{number}",
        "rank": number,
        "token": TOKEN,
        "alive": True,
        "ending": None,
        "last": [],
    }
    return {**rank_state, **changes}


def build_ready_state(ranks: list[object], completion: object = None, **changes: object) -> Fields:
    service_state = {"ranks": ranks, "completion": completion, "not_placed": {}, "kept": []}
    return {"qwen": {**service_state, **changes}}


def record_ready_states(spark_1: object, spark_2: object) -> Observation:
    observation = change_report(load_recording(UP), "spark-1", ["steps", "ready"], spark_1)
    return change_report(observation, "spark-2", ["steps", "ready"], spark_2)


def diagnose_ready_states(spark_1: object, spark_2: object) -> tuple[Check, ...]:
    return diagnose_recording(record_ready_states(spark_1, spark_2), build_serving_rack())


def list_ready_requests(declaration: Declaration) -> dict[str, Fields]:
    """By node, what the step is asked about the only service."""
    requests = {}
    for target in add_probes(list_targets(declaration), declaration):
        (requests[target.name],) = cast(list[Fields], target.steps["ready"]["services"])
    return requests


def test_each_node_is_asked_for_its_ranks_and_the_first_for_a_token() -> None:
    requests = list_ready_requests(build_serving_rack())
    spark_1, spark_2 = requests["spark-1"], requests["spark-2"]
    assert (spark_1["asks"], spark_2["asks"]) == (True, False)
    assert spark_1["port"] == 8000
    assert spark_1["swarm_names"] == []


def test_a_swarms_head_is_asked_for_every_rank() -> None:
    requests = list_ready_requests(build_serving_rack(runtime="swarm"))
    assert requests["spark-1"]["swarm_names"] == ["sparkform-qwen-0", "sparkform-qwen-1"]
    assert requests["spark-2"]["swarm_names"] == []


def test_nodes_without_a_service_are_asked_nothing() -> None:
    declaration = build_rack_declaration(**SWARM)
    assert not any(
        "ready" in target.steps for target in add_probes(list_targets(declaration), declaration)
    )


def test_a_service_that_answers_is_well() -> None:
    checks = diagnose_ready_states(
        build_ready_state([build_rank_state(0)], COMPLETION),
        build_ready_state([build_rank_state(1)]),
    )
    messages = [check.message for check in list_rows(checks, "spark-1", ROW_NAME)]
    assert messages == [
        "rank 0 runs as sparkform-qwen-0, token 4be1c0de…-3",
        "http://10.87.153.11:8000 completes one token in 0.2 s",
    ]
    assert {check.status for check in checks if check.name == ROW_NAME} == {"ok"}


def test_a_dead_rank_is_named_with_its_exit_code_and_last_lines() -> None:
    dead = build_rank_state(
        1, alive=False, ending="exit code 137 (SIGKILL)", last=["one", "", "two"]
    )
    check = get_row(
        diagnose_ready_states(
            build_ready_state([build_rank_state(0)], COMPLETION), build_ready_state([dead])
        ),
        "spark-2",
        ROW_NAME,
    )
    assert check.status == "fail"
    assert check.message == (
        "rank 1 is dead, sparkform-qwen-1: exit code 137 (SIGKILL)\n| one\n| two"
    )
    assert "pulumi up" in str(check.fix)


def test_a_rank_behind_a_silent_docker_is_unknown_and_not_missing() -> None:
    unknown = build_ready_state([], unknown="Docker does not answer (refused)")
    check = get_row(
        diagnose_ready_states(build_ready_state([build_rank_state(0)], COMPLETION), unknown),
        "spark-2",
        ROW_NAME,
    )
    assert (check.status, check.message) == (
        "fail",
        "unknown: the state of rank 1: Docker does not answer (refused)",
    )


def test_a_missing_rank_names_the_log_that_was_kept() -> None:
    missing = build_ready_state([], kept=["/var/log/sparkform/qwen/a.log"])
    check = get_row(
        diagnose_ready_states(build_ready_state([build_rank_state(0)], COMPLETION), missing),
        "spark-2",
        ROW_NAME,
    )
    assert (check.status, check.message) == (
        "fail",
        "rank 1 has no engine here; the last log is /var/log/sparkform/qwen/a.log",
    )


def test_ranks_of_different_starts_are_a_fault_of_the_rack() -> None:
    older_rank = build_rank_state(1, token="4be1c0de00aa-2")
    check = get_row(
        diagnose_ready_states(
            build_ready_state([build_rank_state(0)], COMPLETION), build_ready_state([older_rank])
        ),
        None,
        ROW_NAME,
    )
    assert check.status == "fail"
    assert "spark-1 4be1c0de00aa-3, spark-2 4be1c0de00aa-2" in check.message


@pytest.mark.parametrize(
    ("status", "fix"),
    [(0, "sparkform logs"), (401, "distributes the API key again"), (500, "pulumi up")],
)
def test_an_api_without_a_completion_fails(status: int, fix: str) -> None:
    completion = {**COMPLETION, "status": status, "text": "why"}
    check = list_rows(
        diagnose_ready_states(
            build_ready_state([build_rank_state(0)], completion),
            build_ready_state([build_rank_state(1)]),
        ),
        "spark-1",
        ROW_NAME,
    )[1]
    assert check.status == "fail"
    assert "why" in check.message
    assert fix in str(check.fix)


def test_swarms_own_reason_is_told() -> None:
    not_placed = {"sparkform-qwen-1": "no suitable node (insufficient resources on 1 node)"}
    checks = diagnose_ready_states(
        build_ready_state([build_rank_state(0)], COMPLETION, not_placed=not_placed),
        build_ready_state([]),
    )
    assert any(
        "no suitable node" in check.message for check in list_rows(checks, "spark-1", ROW_NAME)
    )


def test_an_engine_of_no_declared_service_is_told() -> None:
    container = {
        "id": "1",
        "name": "sparkform-old-0",
        "image": "a",
        "state": "running",
        "labels": {"sparkform.service": "old"},
    }
    observation = change_report(load_recording(UP), "spark-2", ["facts", "containers"], [container])
    check = get_row(diagnose_recording(observation), "spark-2", "engines")
    assert check.status == "warn"
    assert "service old" in check.message


@pytest.mark.parametrize("names", [None, ["spark-1", "spark-2"]])
def test_a_silent_node_of_a_service_does_not_keep_doctor_from_judging(names) -> None:
    observation = silence_node(
        record_ready_states(
            build_ready_state([build_rank_state(0)], COMPLETION),
            build_ready_state([build_rank_state(1)]),
        ),
        "spark-2",
    )
    checks = diagnose_recording(observation, build_serving_rack(nodes=names))
    assert get_row(checks, "spark-2", "login").status == "fail"
    assert [check.status for check in list_rows(checks, "spark-1", ROW_NAME)] == ["ok", "ok"]
