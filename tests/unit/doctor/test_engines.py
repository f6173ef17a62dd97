"""What doctor says of engines: alive, dead, missing, of different starts, answering or not."""

from __future__ import annotations

from typing import Any

import pytest

from sparkform.config import Spec
from sparkform.doctor import Check, with_probes
from sparkform.plan.targets import targets
from sparkform.report.rack_report import Observation
from tests.support.recorded import SWARM, UP, changed, rack_spec, recording, silent
from tests.unit.doctor.support import checks_of, row, rows

TOKEN = "4be1c0de00aa-3"
ANSWERED = {"url": "http://10.87.153.11:8000", "status": 200, "text": "Hi", "took_s": 0.2}
NAME = "service qwen"


def serving(**changes: Any) -> Spec:
    cluster = rack_spec(**SWARM).cluster
    block = {
        "engine": "vllm",
        "runtime": "container",
        "image": "vllm/vllm-openai:v0.32.0",
        "model": "Qwen/Qwen3-8B",
        "port": 8000,
        "tensorParallel": 2,
    }
    return Spec.model_validate({"cluster": cluster, "services": {"qwen": {**block, **changes}}})


def rank(number: int, **changes: Any) -> dict[str, Any]:
    found = {
        "kind": "container",
        "name": f"sparkform-qwen-{number}",
        "rank": number,
        "token": TOKEN,
        "alive": True,
        "ending": None,
        "last": [],
    }
    return {**found, **changes}


def looked(ranks: list[Any], completion: Any = None, **changes: Any) -> dict[str, Any]:
    found = {"ranks": ranks, "completion": completion, "not_placed": {}, "kept": []}
    return {"qwen": {**found, **changes}}


def seen(first: Any, second: Any) -> Observation:
    one = changed(recording(UP), "spark-1", ["steps", "ready"], first)
    return changed(one, "spark-2", ["steps", "ready"], second)


def judged(first: Any, second: Any) -> tuple[Check, ...]:
    return checks_of(seen(first, second), serving())


def asked_of(spec: Spec) -> dict[str, Any]:
    """By node, what the step is asked about the only service."""
    asked: dict[str, Any] = {
        one.name: one.steps["ready"] for one in with_probes(targets(spec), spec)
    }
    return {node: found["services"][0] for node, found in asked.items()}


def test_each_node_is_asked_for_its_ranks_and_the_first_for_a_token() -> None:
    asked = asked_of(serving())
    one, two = asked["spark-1"], asked["spark-2"]
    assert (one["asks"], two["asks"]) == (True, False)
    assert one["port"] == 8000
    assert one["swarm_names"] == []


def test_a_swarms_head_is_asked_for_every_rank() -> None:
    asked = asked_of(serving(runtime="swarm"))
    assert asked["spark-1"]["swarm_names"] == ["sparkform-qwen-0", "sparkform-qwen-1"]
    assert asked["spark-2"]["swarm_names"] == []


def test_nodes_without_a_service_are_asked_nothing() -> None:
    spec = rack_spec(**SWARM)
    assert not any("ready" in one.steps for one in with_probes(targets(spec), spec))


def test_a_service_that_answers_is_well() -> None:
    checks = judged(looked([rank(0)], ANSWERED), looked([rank(1)]))
    said = [one.message for one in rows(checks, "spark-1", NAME)]
    assert said == [
        "rank 0 runs as sparkform-qwen-0, token 4be1c0de…-3",
        "http://10.87.153.11:8000 completes one token in 0.2 s",
    ]
    assert {one.status for one in checks if one.name == NAME} == {"ok"}


def test_a_dead_rank_is_named_with_its_exit_code_and_last_lines() -> None:
    dead = rank(1, alive=False, ending="exit code 137 (SIGKILL)", last=["one", "", "two"])
    found = row(judged(looked([rank(0)], ANSWERED), looked([dead])), "spark-2", NAME)
    assert found.status == "fail"
    assert found.message == (
        "rank 1 is dead, sparkform-qwen-1: exit code 137 (SIGKILL)\n| one\n| two"
    )
    assert "pulumi up" in str(found.fix)


def test_a_missing_rank_names_the_log_that_was_kept() -> None:
    missing = looked([], kept=["/var/log/sparkform/qwen/a.log"])
    found = row(judged(looked([rank(0)], ANSWERED), missing), "spark-2", NAME)
    assert (found.status, found.message) == (
        "fail",
        "rank 1 has no engine here; the last log is /var/log/sparkform/qwen/a.log",
    )


def test_ranks_of_different_starts_are_a_fault_of_the_rack() -> None:
    other = rank(1, token="4be1c0de00aa-2")
    found = row(judged(looked([rank(0)], ANSWERED), looked([other])), None, NAME)
    assert found.status == "fail"
    assert "spark-1 4be1c0de00aa-3, spark-2 4be1c0de00aa-2" in found.message


@pytest.mark.parametrize(
    ("status", "fix"), [(0, "sparkform logs"), (401, "the key out again"), (500, "pulumi up")]
)
def test_an_api_without_a_completion_fails(status: int, fix: str) -> None:
    completion = {**ANSWERED, "status": status, "text": "why"}
    found = rows(judged(looked([rank(0)], completion), looked([rank(1)])), "spark-1", NAME)[1]
    assert found.status == "fail"
    assert "why" in found.message
    assert fix in str(found.fix)


def test_swarms_own_reason_is_told() -> None:
    said = {"sparkform-qwen-1": "no suitable node (insufficient resources on 1 node)"}
    checks = judged(looked([rank(0)], ANSWERED, not_placed=said), looked([]))
    assert any("no suitable node" in one.message for one in rows(checks, "spark-1", NAME))


def test_an_engine_of_no_declared_service_is_told() -> None:
    stranger = {
        "id": "1",
        "name": "sparkform-old-0",
        "image": "a",
        "state": "running",
        "labels": {"sparkform.service": "old"},
    }
    one = changed(recording(UP), "spark-2", ["facts", "containers"], [stranger])
    found = row(checks_of(one), "spark-2", "engines")
    assert found.status == "warn"
    assert "service old" in found.message


@pytest.mark.parametrize("names", [None, ["spark-1", "spark-2"]])
def test_a_silent_node_of_a_service_does_not_keep_doctor_from_judging(names) -> None:
    found = silent(seen(looked([rank(0)], ANSWERED), looked([rank(1)])), "spark-2")
    checks = checks_of(found, serving(nodes=names))
    assert row(checks, "spark-2", "login").status == "fail"
    assert [one.status for one in rows(checks, "spark-1", NAME)] == ["ok", "ok"]
