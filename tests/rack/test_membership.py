"""Nodes that come, go, change names and places: only what truly changes is done.

The tests build on one another, as the life of a rack does; each leaves it as declared.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.rack.conftest import RackFactory
from tests.rack.test_swarm import MAKE_IMAGE
from tests.support.deployment import Deployment, read_cluster_block
from tests.support.digest import Digest, compute_digest, list_changes
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

# The rack cannot give a container the memlock limit that the product sets (docs/rack.md).
SERVICE = (
    "sudo docker service create --detach --no-resolve-image --mode global --name s "
    "--network host --ulimit memlock=65536:65536"
)
LABELS = {"spark-1-swarm_labels"}
# Receipts, claims and the lock say who owns what; the engine's own words hold a pointer.
OWNERSHIP = ("file /var/lib/sparkform", "docker info")
# What a Swarm brings along: its networks, and the state of its bridge in the routes.
OF_THE_SWARM = ("docker_gwbridge", "ingress")


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=3, fabric="switch")


@pytest.fixture(scope="module")
def deployment(
    machines: RackHandle, untouched: Digest, tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    """Two of the three nodes are up."""
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("deployment"))
    deployment.cluster["swarm"] = {"enabled": True}
    deployment.cluster["nodes"] = list_nodes(machines)[:2]
    deployment.up()
    return deployment


def list_nodes(machines: RackHandle) -> list[dict[str, Any]]:
    """As the rack has them, each with its index, so that places in the list mean nothing."""
    blocks = read_cluster_block(machines)["nodes"]
    return [{**node, "index": index} for index, node in enumerate(blocks)]


def list_swarm_nodes(machines: RackHandle, head: str) -> list[str]:
    listing = "sudo docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'"
    return sorted(line.strip() for line in machines.must(head, listing).splitlines())


def list_touched(before: Digest, after: Digest) -> list[str]:
    """What changed on the machines, ownership aside."""
    changes = list_changes(before, after)
    return [line for line in changes if not line.partition(": ")[2].startswith(OWNERSHIP)]


def test_a_third_node_changes_nothing_on_the_first_two_but_its_label(
    deployment: Deployment, machines: RackHandle
) -> None:
    deployment.cluster["nodes"] = list_nodes(machines)
    preview = deployment.preview()
    assert {name for name in preview.changed_steps if not name.startswith("spark-3")} == LABELS
    assert (
        "spark-1 swarm_labels: spark-3 is not in the Swarm yet, will be labelled"
        in preview.messages
    )
    before = compute_digest(machines)
    assert deployment.up().changed_steps == preview.changed_steps
    assert deployment.up().changed == set()
    assert {line.split(":")[0] for line in list_touched(before, compute_digest(machines))} == {
        "spark-3"
    }


def test_a_node_that_is_removed_is_drained_and_left_as_it_was(
    deployment: Deployment, machines: RackHandle, untouched: Digest
) -> None:
    for host in machines.hosts:
        machines.must(host, MAKE_IMAGE)
    machines.must("spark-1", f"{SERVICE} tiny:1 /bin/sleep 600")
    running = "until [ $(sudo docker ps -q | wc -l) = 1 ]; do sleep 1; done"
    machines.must("spark-3", f"timeout 60 sh -c '{running}'")

    deployment.cluster["nodes"] = list_nodes(machines)[:2]
    outcome = deployment.preview_and_up()
    assert (
        "spark-1 swarm_labels: spark-3 is in the Swarm, will be removed from it" in outcome.messages
    )
    assert {name for name in outcome.changed_steps if not name.startswith("spark-3")} == LABELS
    assert deployment.up().changed == set()

    assert list_swarm_nodes(machines, "spark-1") == ["spark-1 Ready Leader", "spark-2 Ready"]
    machines.must("spark-1", "sudo docker service rm s")
    assert machines.must("spark-3", "sudo docker ps -aq") == ""
    for host in machines.hosts:
        until_removed = "until sudo docker rmi tiny:1 > /dev/null 2>&1; do sleep 1; done"
        machines.must(host, f"timeout 60 sh -c '{until_removed}'")
    changes = [
        line
        for line in list_changes(untouched, compute_digest(machines))
        if line.startswith("spark-3:")
    ]
    assert changes == []


def test_a_renamed_node_changes_hands_and_nothing_else(
    deployment: Deployment, machines: RackHandle
) -> None:
    first, second, _ = list_nodes(machines)
    deployment.cluster["nodes"] = [first, {**second, "name": "beta"}]
    before = compute_digest(machines)
    outcome = deployment.preview_and_up()
    owned = "sparkform/test/spark-2/nccl_conf; will be owned by sparkform/test/beta/nccl_conf"
    assert f"beta nccl_conf: owned by {owned}" in outcome.messages
    assert "spark-1 swarm_labels: label sparkform.node of spark-2 is spark-2, will be beta" in (
        outcome.messages
    )
    # Its partner on the switch tries the link to the new name.
    other_steps = {
        name for name in outcome.changed_steps if not name.startswith(("beta", "spark-2"))
    }
    assert other_steps == {*LABELS, "spark-1-fabric_check-0"}
    assert list_touched(before, compute_digest(machines)) == []
    assert deployment.up().changed == set()


def test_the_order_of_nodes_means_nothing_where_they_have_an_index(
    deployment: Deployment, machines: RackHandle
) -> None:
    deployment.cluster["nodes"] = list_nodes(machines)
    deployment.up()
    first, second, third = list_nodes(machines)
    deployment.cluster["nodes"] = [first, third, second]
    assert deployment.preview().changed_steps == set()


def remove_swarm(digest: Digest) -> Digest:
    """The node that starts the new Swarm has other networks than the ones that join."""
    return {
        host: {entry: _remove_swarm_lines(text) for entry, text in entries.items()}
        for host, entries in digest.items()
    }


def _remove_swarm_lines(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(line for line in lines if not any(network in line for network in OF_THE_SWARM))


def test_the_head_moves_in_one_up(deployment: Deployment, machines: RackHandle) -> None:
    first, second, third = list_nodes(machines)
    deployment.cluster["nodes"] = [second, first, third]
    head, old = machines.find_node("spark-2").address, machines.find_node("spark-1").address
    before = remove_swarm(compute_digest(machines))
    outcome = deployment.preview_and_up()
    assert {line for line in outcome.messages if " swarm: " in line} == {
        f"spark-1 swarm: head of the Swarm at {old}, will leave it and join the one of {head}:2377",
        f"spark-2 swarm: in the Swarm of {old}:2377, will leave it and start one at {head}",
        f"spark-3 swarm: in the Swarm of {old}:2377, will leave it and join the one of {head}:2377",
    }
    assert {name.split("-")[2].partition("_")[0] for name in outcome.changed_steps} == {"swarm"}
    assert list_swarm_nodes(machines, "spark-2") == [
        "spark-1 Ready",
        "spark-2 Ready Leader",
        "spark-3 Ready",
    ]
    assert list_touched(before, remove_swarm(compute_digest(machines))) == []
    assert deployment.up().changed == set()


def test_destroy_gives_all_of_them_back(
    deployment: Deployment, machines: RackHandle, untouched: Digest
) -> None:
    deployment.destroy()
    assert list_changes(untouched, compute_digest(machines)) == []
