"""Nodes that cannot be observed, nodes that are declared away, and how they come back.

The tests build on one another: each leaves the stack as declared.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from sparkform.config import parse_config
from sparkform.plan.targets import list_targets
from sparkform.ssh.observe import observe
from sparkrack.host import ask, must
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment, read_cluster_block
from tests.support.digest import Digest, compute_digest, list_changes
from tests.support.rack import RackHandle
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rack

# The promise is 10 s; a machine that is busy with other racks gets more.
REPORT_LIMIT_S = 20.0
DARK_LIMIT_S = 60.0
ED25519 = "/etc/ssh/ssh_host_ed25519_key"
BACKUP = "/root/kept"


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


@pytest.fixture(scope="module")
def deployment(
    machines: RackHandle, untouched: Digest, tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    """Nothing is up yet."""
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("deployment"))
    deployment.cluster["swarm"] = {"enabled": True}
    return deployment


@pytest.fixture
def node_blocks(machines: RackHandle) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = read_cluster_block(machines)["nodes"]
    return blocks


def declare_away(node_blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [node_blocks[0], {**node_blocks[1], "away": True}]


def run_on_spark_2(machines: RackHandle, script: str) -> str:
    """Past SSH, for what SSH itself is about."""
    container = machines.find_node("spark-2").container
    return must(["docker", "exec", container, "sh", "-c", script])


def switch_off(machines: RackHandle, host: str) -> None:
    """A busy kernel takes seconds to clear the network of a killed node away: till then it answers
    for the node, and refuses connections, as no machine without power would."""
    machines.break_("off", host)
    ping = ["ping", "-c", "1", "-W", "1", str(machines.find_node(host).address)]
    wait_until(lambda: ask(ping).code != 0, f"{host} is off and still answers", DARK_LIMIT_S)


def test_frozen_and_switched_off_stand_in_one_report_within_10_s(
    deployment: Deployment, machines: RackHandle
) -> None:
    machines.break_("freeze", "spark-1")
    switch_off(machines, "spark-2")
    started = time.monotonic()
    observe(list_targets(parse_config(deployment.cluster, {})))
    took_s = time.monotonic() - started
    outcome = deployment.run("preview")
    machines.mend("freeze", "spark-1")

    assert took_s < REPORT_LIMIT_S
    assert outcome.exit_code != 0
    report = outcome.errors[0]
    first, second = (str(machines.find_node(host).address) for host in machines.hosts)
    assert f"spark-1: {first} accepts connections but sends nothing for 6 s" in report
    assert "switch the node off and on at its power button" in report
    assert f"spark-2: {second} is unreachable" in report
    assert "gets `away: true`" in report
    assert "Traceback" not in "".join(outcome.errors)


def test_a_node_that_was_never_there_is_put_off(
    deployment: Deployment, node_blocks: list[dict[str, Any]]
) -> None:
    deployment.cluster["nodes"] = declare_away(node_blocks)
    outcome = deployment.up()
    assert "spark-2 agent: deferred: a required node is away" in outcome.messages
    assert "spark-1 fabric_check:0: deferred: a required node is away" in outcome.messages
    again = deployment.up()
    assert (again.changed, again.messages) == (set(), [])


def test_it_is_set_up_once_it_is_there(
    deployment: Deployment, machines: RackHandle, node_blocks: list[dict[str, Any]]
) -> None:
    machines.mend("off", "spark-2")
    deployment.cluster["nodes"] = node_blocks
    outcome = deployment.preview_and_up()
    assert "spark-2 agent: node agent is not installed, will be installed" in outcome.messages
    unconcerned = {"spark-1-swarm_labels", "spark-1-fabric_check-0"}
    assert {name for name in outcome.changed_steps if name.startswith("spark-1")} == unconcerned
    assert deployment.up().changed == set()
    members = machines.must("spark-1", "sudo docker node ls --format '{{.Hostname}} {{.Status}}'")
    assert sorted(members.split("\n")) == ["", "spark-1 Ready", "spark-2 Ready"]


def test_a_node_that_goes_away_keeps_what_is_known_of_it(
    deployment: Deployment, machines: RackHandle, node_blocks: list[dict[str, Any]]
) -> None:
    switch_off(machines, "spark-2")
    deployment.cluster["nodes"] = declare_away(node_blocks)
    # The head keeps its place in the Swarm for it; nothing else is done anywhere.
    assert deployment.preview().changed_steps == {"spark-1-swarm_labels"}
    assert deployment.up().changed_steps == {"spark-1-swarm_labels"}
    again = deployment.up()
    assert (again.changed, again.messages) == (set(), [])
    assert "spark-2" in machines.must("spark-1", "sudo docker node ls --format '{{.Hostname}}'")


def test_destroy_gives_back_who_is_there_and_says_who_is_not(
    deployment: Deployment, machines: RackHandle, untouched: Digest
) -> None:
    outcome = deployment.run("destroy", "--yes", "--skip-preview")
    assert outcome.exit_code != 0
    assert f"dial tcp {machines.find_node('spark-2').address}:22" in "\n".join(outcome.errors)
    machines.mend("off", "spark-2")
    changes = list_changes(untouched, compute_digest(machines))
    assert {line.partition(":")[0] for line in changes} == {"spark-2"}


def test_destroy_again_gives_back_the_node_that_has_returned(
    deployment: Deployment,
    machines: RackHandle,
    untouched: Digest,
    node_blocks: list[dict[str, Any]],
) -> None:
    deployment.cluster["nodes"] = node_blocks
    deployment.destroy()
    assert list_changes(untouched, compute_digest(machines)) == []


def read_fingerprint(machines: RackHandle) -> str:
    return run_on_spark_2(machines, f"ssh-keygen -lf {ED25519}.pub").split()[1]


def test_a_changed_host_key_is_shown_beside_the_known_one(
    deployment: Deployment, machines: RackHandle
) -> None:
    known = read_fingerprint(machines)
    run_on_spark_2(machines, f"mkdir {BACKUP} && mv {ED25519}* {BACKUP} && ssh-keygen -qA")
    run_on_spark_2(machines, "systemctl restart ssh")
    offered = read_fingerprint(machines)
    outcome = deployment.run("preview")
    run_on_spark_2(machines, f"mv {BACKUP}/* /etc/ssh && rmdir {BACKUP} && systemctl restart ssh")

    assert known != offered
    (report,) = [text for text in outcome.errors if "has changed" in text]
    assert f"expected ssh-ed25519 {known}, got ssh-ed25519 {offered}" in report
    assert "Only if it was reinstalled" in report
