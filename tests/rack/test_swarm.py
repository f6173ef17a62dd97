"""Nodes form a Swarm, which places one task a generic GPU and no second one."""

from __future__ import annotations

import json

import pytest

from tests.rack.conftest import RackFactory
from tests.support.rack import RackHandle
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rack

PLACE_TIMEOUT_S = 60
DECLARE_GPU = """
import json, pathlib, sys
path = pathlib.Path("/etc/docker/daemon.json")
settings = json.loads(path.read_text()) if path.exists() else {}
settings["node-generic-resources"] = [f"NVIDIA_GPU=GPU-{sys.argv[1]}"]
path.write_text(json.dumps(settings))
"""
# The smallest image that can run: Debian's static busybox, made in the node itself.
MAKE_IMAGE = """
mkdir -p /tmp/image/bin && cp /usr/bin/busybox /tmp/image/bin/sleep
tar --create --directory /tmp/image . | docker import - tiny:1 > /dev/null
"""


@pytest.fixture(scope="module")
def swarm_machines(rack: RackFactory) -> RackHandle:
    machines = rack(nodes=2, fabric="direct")
    head = machines.rack.nodes[0]
    for host in machines.hosts:
        machines.must(host, f"sudo python3 - {host}", DECLARE_GPU)
        machines.must(host, "sudo systemctl restart docker")
        machines.must(host, MAKE_IMAGE)
    machines.must(head.hostname, f"docker swarm init --advertise-addr {head.address}")
    token = machines.must(head.hostname, "docker swarm join-token --quiet worker").strip()
    machines.must("spark-2", f"docker swarm join --token {token} {head.address}:2377")
    return machines


def list_tasks(machines: RackHandle, service: str) -> list[tuple[str, str]]:
    """Node ("" while it waits for one) and state of each task."""
    listed = machines.must("spark-1", f"docker service ps --format '{{{{json .}}}}' {service}")
    rows = [json.loads(line) for line in listed.splitlines()]
    return sorted((row["Node"], row["CurrentState"].split()[0]) for row in rows)


def test_one_task_runs_on_each_gpu_and_a_third_waits(swarm_machines: RackHandle) -> None:
    options = "--detach --no-resolve-image --network host --generic-resource NVIDIA_GPU=1"
    swarm_machines.must(
        "spark-1", f"docker service create --name s --replicas 3 {options} tiny:1 /bin/sleep 600"
    )
    wanted = [("", "Pending"), ("spark-1", "Running"), ("spark-2", "Running")]
    wait_until(
        lambda: list_tasks(swarm_machines, "s") == wanted, f"never: {wanted}", PLACE_TIMEOUT_S
    )


def test_the_swarm_survives_a_reboot_of_a_worker(swarm_machines: RackHandle) -> None:
    swarm_machines.break_("reboot", "spark-2")
    swarm_machines.mend("reboot", "spark-2")
    listing = "docker node ls --format '{{.Hostname}} {{.Status}}'"
    wanted = ["spark-1 Ready", "spark-2 Ready"]
    wait_until(
        lambda: sorted(swarm_machines.must("spark-1", listing).splitlines()) == wanted,
        f"never: {wanted}",
        PLACE_TIMEOUT_S,
    )
