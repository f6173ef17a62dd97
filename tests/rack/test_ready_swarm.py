"""The same watch in a Swarm: a rank is a task's container, and the manager knows of no task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.rack.conftest import RackFactory
from tests.rack.test_ready import (
    LIMIT_S,
    TOKEN,
    assert_clean,
    build_want,
    claim_nodes,
    get_address,
    run_watches,
)
from tests.support import scripted_engine as engines
from tests.support.rack import RackHandle
from tests.support.scripted_engine import COMMAND, FOLDER, Plan

pytestmark = [pytest.mark.rack, pytest.mark.long]

BINDS = " ".join(
    f"--mount type=bind,source={source},target={target},readonly"
    for source, target in (
        ("/usr", "/usr"),
        ("/usr/lib", "/lib"),
        ("/usr/lib64", "/lib64"),
        ("/usr/bin", "/bin"),
        ("/etc", "/etc"),
    )
)
FOLDER_BIND = f"--mount type=bind,source={FOLDER},target={FOLDER}"


@pytest.fixture(scope="module")
def swarm(rack: RackFactory) -> RackHandle:
    machines = rack(nodes=2, fabric="direct")
    head = get_address(machines, "spark-1")
    machines.must("spark-1", f"sudo docker swarm init --advertise-addr {head}")
    token = machines.must("spark-1", "sudo docker swarm join-token -q worker").strip()
    machines.must("spark-2", f"sudo docker swarm join --token {token} {head}:2377")
    claim_nodes(machines)
    return machines


@pytest.fixture
def machines(swarm: RackHandle) -> Iterator[RackHandle]:
    for host in swarm.hosts:
        engines.clear(swarm, host)
    yield swarm
    swarm.must("spark-1", "sudo docker service ls -q | xargs -r sudo docker service rm")
    for host in swarm.hosts:
        engines.clear(swarm, host)


def create_service(
    machines: RackHandle, rank: int, engine_plan: Plan, constraint: str = ""
) -> None:
    host = machines.hosts[rank]
    engines.write_plan(machines, host, engine_plan)
    values = {"service": "qwen", "rank": str(rank), "token": TOKEN}
    labels = " ".join(
        f"--label sparkform.{name}={value} --container-label sparkform.{name}={value}"
        for name, value in values.items()
    )
    placement = f"--constraint 'node.hostname=={constraint or host}'"
    machines.must(
        "spark-1",
        f"sudo docker service create --detach --name sparkform-qwen-{rank} {labels} {placement} "
        f"--restart-condition none --network host {BINDS} {FOLDER_BIND} empty:1 {COMMAND}",
    )


def build_swarm_want(machines: RackHandle, **changes: Any) -> dict[str, Any]:
    return build_want(machines, 2, runtime="swarm", silence_timeout_s=60, **changes)


def test_a_service_in_a_swarm_answers(machines: RackHandle) -> None:
    create_service(machines, 0, Plan())
    create_service(machines, 1, Plan("hang"))
    results = run_watches(machines, build_swarm_want(machines))
    assert {host: result.code for host, result in results.items()} == {
        "spark-1": 0,
        "spark-2": 0,
    }, results


def test_a_dead_task_ends_the_other_node_too(machines: RackHandle) -> None:
    create_service(machines, 0, Plan("hang"))
    create_service(machines, 1, Plan("exit", pause_s=4))
    results = run_watches(machines, build_swarm_want(machines))
    for host in machines.hosts:
        assert "rank 1 on spark-2" in results[host].err.splitlines()[0]
        assert "[dead-rank]" in results[host].err
        assert_clean(machines, host)
    took_s = results["spark-1"].ended_s - engines.read_symptom_s(machines, "spark-2")
    print(f"task on spark-2 dead: {took_s:.1f} s until spark-1 was ended")
    assert took_s < LIMIT_S


def test_a_task_that_finds_no_node_is_told_in_swarms_words(machines: RackHandle) -> None:
    create_service(machines, 0, Plan("hang"))
    create_service(machines, 1, Plan("hang"), constraint="nowhere")
    results = run_watches(machines, build_swarm_want(machines))
    assert "[not-placed" in results["spark-1"].err
    assert "no suitable node" in results["spark-1"].err
    assert "rank 1 on spark-2" in results["spark-2"].err.splitlines()[0]
    for host in machines.hosts:
        assert_clean(machines, host)
