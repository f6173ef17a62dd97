"""Ranks as Docker, Swarm and systemd describe them, and what a missing answer means."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from node.errors import StepError
from node.host import docker_query
from node.host.paths import MARKS
from node.host.system import HttpAnswer
from node.ranks import containers, memory_kills, units
from node.ranks.finding import (
    find_local_ranks,
    find_ranks,
    find_swarm_ranks,
    note_memory_kill,
)
from node.ranks.rank import Rank, RankLabels, format_exit
from tests.support.fake_ranks import FakeRanks, add_ranks, build_labels
from tests.support.fake_spark import FakeSpark

WORKER = "This node is not a swarm manager. Worker nodes can't be used to view or modify state."
PREPARING = "This node is not a swarm manager. Manager is being prepared or has trouble connecting."


@pytest.fixture
def fake_ranks(spark: FakeSpark) -> FakeRanks:
    return add_ranks(spark)


def parse_state(**state: Any) -> tuple[str, int | None]:
    config = {"Labels": build_labels()}
    rank = containers.parse_container({"Id": "c0", "Config": config, "State": state})
    assert rank is not None
    return rank.state, rank.exit_code


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("created", ("created", None)),
        ("running", ("running", None)),
        ("paused", ("paused", None)),
        ("removing", ("stopping", None)),
        ("exited", ("ended", 3)),
        ("dead", ("ended", 3)),
    ],
)
def test_a_containers_status_is_one_of_five_states(status: str, expected: object) -> None:
    assert parse_state(Status=status, ExitCode=3) == expected


def test_a_container_that_could_not_start_has_ended() -> None:
    assert parse_state(Status="created", Error="no such runtime", ExitCode=127) == ("ended", 127)


def test_a_container_of_nobodys_service_is_no_rank() -> None:
    assert containers.parse_container({"Id": "c0", "Config": {"Labels": {"a": "b"}}}) is None


def test_a_container_of_the_swarm_is_told_by_dockers_label(fake_ranks: FakeRanks) -> None:
    fake_ranks.add_container("plain")
    fake_ranks.add_container("task")
    fake_ranks.containers["task"]["Labels"][containers.SWARM_LABEL] = "s0"
    runtimes = {rank.name: rank.runtime for rank in find_local_ranks(fake_ranks.spark.system).ranks}
    assert runtimes == {"plain": "container", "task": "swarm"}


@pytest.mark.parametrize(
    ("properties", "state", "exit_text"),
    [
        ({"ActiveState": "active", "InvocationID": "1f"}, "running", None),
        ({"ActiveState": "activating", "InvocationID": "1f"}, "running", None),
        ({"ActiveState": "deactivating", "InvocationID": "1f"}, "stopping", None),
        ({"ActiveState": "inactive", "InvocationID": ""}, "created", None),
        (
            {
                "ActiveState": "failed",
                "InvocationID": "1f",
                "ExecMainCode": "2",
                "ExecMainStatus": "9",
            },
            "ended",
            "exit code 137 (SIGKILL)",
        ),
        (
            {"ActiveState": "failed", "InvocationID": "1f", "Result": "oom-kill"},
            "ended",
            "killed by the kernel, which was out of memory",
        ),
    ],
)
def test_a_units_properties_are_one_of_the_states(
    properties: dict[str, str], state: str, exit_text: str | None
) -> None:
    mark = {"unit": "sparkform-qwen.service", **build_labels()}
    rank = units.parse_unit("sparkform-qwen.service", mark, {"LoadState": "loaded", **properties})
    assert rank is not None
    assert (rank.state, rank.token, rank.rank) == (state, "today-1", 0)
    assert (format_exit(rank) if rank.has_ended else None) == exit_text


def test_a_damaged_mark_is_no_rank(fake_ranks: FakeRanks) -> None:
    system = fake_ranks.spark.system
    system.put(f"{MARKS}/qwen", "{")
    system.put(f"{MARKS}/gemma", json.dumps({"unit": "x.service"}))
    assert units.list_units(system) == []


def test_a_service_without_a_running_task_has_not_started(fake_ranks: FakeRanks) -> None:
    fake_ranks.add_service("up")
    fake_ranks.add_service("waiting", running=0)
    states = {rank.name: rank.state for rank in find_swarm_ranks(fake_ranks.spark.system).ranks}
    assert states == {"up": "running", "waiting": "created"}


def test_ranks_of_one_service_are_found_whatever_runs_them(fake_ranks: FakeRanks) -> None:
    system = fake_ranks.spark.system
    fake_ranks.add_container("c0")
    fake_ranks.add_container("other", service="gemma")
    fake_ranks.add_service("s0")
    units.mark_unit(system, "qwen", "sparkform-qwen.service", build_labels())
    found = find_ranks(system, "qwen").require_known()
    assert [(rank.kind, rank.name) for rank in found] == [
        ("container", "c0"),
        ("unit", "sparkform-qwen.service"),
        ("service", "s0"),
    ]


@pytest.mark.parametrize(("status", "reason"), [(404, "no such container"), (503, WORKER)])
def test_what_docker_does_not_have_is_absent(
    fake_ranks: FakeRanks, status: int, reason: str
) -> None:
    script = fake_ranks.spark.system.script
    script.requests["GET", "/services"] = lambda *_: HttpAnswer(status, {"message": reason})
    assert find_swarm_ranks(fake_ranks.spark.system).require_known() == ()


@pytest.mark.parametrize(
    ("status", "reason"), [(0, "refused"), (500, "no leader"), (503, PREPARING)]
)
def test_what_docker_cannot_tell_is_unknown(
    fake_ranks: FakeRanks, status: int, reason: str
) -> None:
    script = fake_ranks.spark.system.script
    script.requests["GET", "/services"] = lambda *_: HttpAnswer(status, {"message": reason})
    found = find_swarm_ranks(fake_ranks.spark.system)
    assert reason in str(found.unknown)
    with pytest.raises(StepError, match="is unknown"):
        found.require_known()


@pytest.mark.parametrize("status", docker_query.ENDED_ALREADY)
def test_an_object_that_has_gone_meanwhile_is_ended(fake_ranks: FakeRanks, status: int) -> None:
    system = fake_ranks.spark.system
    system.script.requests["DELETE", "/services/s0"] = lambda *_: HttpAnswer(status, "gone")
    docker_query.end_object(system, "DELETE", "/services/s0", {})


def test_an_object_that_docker_does_not_end_is_named(fake_ranks: FakeRanks) -> None:
    system = fake_ranks.spark.system
    refusal = HttpAnswer(500, {"message": "device busy"})
    system.script.requests["DELETE", "/services/s0"] = lambda *_: refusal
    with pytest.raises(StepError, match="DELETE /services/s0 failed: device busy"):
        docker_query.end_object(system, "DELETE", "/services/s0", {})


KILL = 'earlyoom[7]: sending SIGTERM to process 9 uid 0 "VLLM::Worker": badness 1020, VmRSS 9 MiB'


@pytest.mark.parametrize(
    ("moment_s", "exit_text"),
    [
        (200, "earlyoom sent SIGTERM to VLLM::Worker and its process group, as memory ran out"),
        (50, "exit code 143 (SIGTERM)"),
    ],
)
def test_an_engine_that_earlyoom_ended_says_so(
    fake_ranks: FakeRanks, moment_s: int, exit_text: str
) -> None:
    """A kill before the run began is not its own."""
    system = fake_ranks.spark.system
    system.put(memory_kills.DROP_IN, "[Service]\n")
    fake_ranks.spark.host.journal = f"{moment_s}.5 spark-1 {KILL}\n"
    labels = RankLabels("qwen", 0, "today-1", "spark/demo")
    ended = Rank("unit", "native", labels, "x", "1f", "ended", started_s=100.0, exit_code=143)
    assert format_exit(note_memory_kill(system, ended)) == exit_text
    running = replace(ended, state="running", exit_code=None)
    assert note_memory_kill(system, running).memory_kill is None
