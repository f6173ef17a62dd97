"""The same watch in a Swarm: a rank is a task's container, and the manager knows of no task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.rack.conftest import RackFactory
from tests.rack.test_ready import (
    LIMIT_S,
    TOKEN,
    address,
    assert_clean,
    claimed,
    want,
    watch_all,
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
    made = rack(nodes=2, fabric="direct")
    head = address(made, "spark-1")
    made.must("spark-1", f"sudo docker swarm init --advertise-addr {head}")
    token = made.must("spark-1", "sudo docker swarm join-token -q worker").strip()
    made.must("spark-2", f"sudo docker swarm join --token {token} {head}:2377")
    claimed(made)
    return made


@pytest.fixture
def nodes(swarm: RackHandle) -> Iterator[RackHandle]:
    for host in swarm.hosts:
        engines.clear(swarm, host)
    yield swarm
    swarm.must("spark-1", "sudo docker service ls -q | xargs -r sudo docker service rm")
    for host in swarm.hosts:
        engines.clear(swarm, host)


def create(nodes: RackHandle, rank: int, what: Plan, constraint: str = "") -> None:
    host = nodes.hosts[rank]
    engines.write_plan(nodes, host, what)
    own = {"service": "qwen", "rank": str(rank), "token": TOKEN}
    labels = " ".join(f"--container-label sparkform.{name}={one}" for name, one in own.items())
    place = f"--constraint 'node.hostname=={constraint or host}'"
    nodes.must(
        "spark-1",
        f"sudo docker service create --detach --name sparkform-qwen-{rank} {labels} {place} "
        f"--restart-condition none --network host {BINDS} {FOLDER_BIND} empty:1 {COMMAND}",
    )


def wanted(nodes: RackHandle, **changes: Any) -> dict[str, Any]:
    return want(nodes, 2, runtime="swarm", silence_timeout_s=60, **changes)


def test_a_service_in_a_swarm_answers(nodes: RackHandle) -> None:
    create(nodes, 0, Plan())
    create(nodes, 1, Plan("hang"))
    found = watch_all(nodes, wanted(nodes))
    assert {host: one.code for host, one in found.items()} == {"spark-1": 0, "spark-2": 0}, found


def test_a_dead_task_ends_the_other_node_too(nodes: RackHandle) -> None:
    create(nodes, 0, Plan("hang"))
    create(nodes, 1, Plan("exit", pause_s=4))
    found = watch_all(nodes, wanted(nodes))
    for host in nodes.hosts:
        assert "rank 1 on spark-2" in found[host].err.splitlines()[0]
        assert "[dead-rank]" in found[host].err
        assert_clean(nodes, host)
    took_s = found["spark-1"].ended_s - engines.read_symptom_s(nodes, "spark-2")
    print(f"task on spark-2 dead: {took_s:.1f} s until spark-1 was ended")
    assert took_s < LIMIT_S


def test_a_task_that_finds_no_node_is_told_in_swarms_words(nodes: RackHandle) -> None:
    create(nodes, 0, Plan("hang"))
    create(nodes, 1, Plan("hang"), constraint="nowhere")
    found = watch_all(nodes, wanted(nodes))
    assert "[not-placed" in found["spark-1"].err
    assert "no suitable node" in found["spark-1"].err
    assert "rank 1 on spark-2" in found["spark-2"].err.splitlines()[0]
    for host in nodes.hosts:
        assert_clean(nodes, host)
