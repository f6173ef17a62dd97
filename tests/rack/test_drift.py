"""What somebody changed on a node is said in one line, and `up` mends that and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

DAEMON = "/etc/docker/daemon.json"
FOREIGN_NETPLAN = """
network:
  version: 2
  ethernets:
    enp1s0f0np0:
      addresses: [192.168.50.1/24]
"""


@dataclass(frozen=True)
class Drift:
    """`script` makes it on spark-2; `steps` is what `up` then runs, `lines` what preview says."""

    name: str
    script: str
    steps: frozenset[str]
    lines: tuple[str, ...]
    stdin: str = ""


CHECKED = frozenset({"spark-1-fabric_check-0", "spark-2-fabric_check-0"})
RECHECKED = (
    "spark-1 fabric_check:0: will be tried with full-size packets",
    "spark-2 fabric_check:0: will be tried with full-size packets",
)
READDRESSED = CHECKED | {"spark-2-fabric_address", "spark-2-fabric_confirm"}
RECONFIRMED = (*RECHECKED, "spark-2 fabric_confirm: will be confirmed by a fresh login")

DRIFTS = [
    Drift(
        "nccl.conf edited",
        "echo NCCL_IB_DISABLE=1 | sudo tee -a /etc/nccl.conf",
        frozenset({"spark-2-nccl_conf"}),
        ("spark-2 nccl_conf: NCCL_IB_DISABLE is 1, will be 0",),
    ),
    Drift(
        "MTU of one half reset",
        "sudo ip link set enP2p1s0f0np0 mtu 1500",
        READDRESSED,
        ("spark-2 fabric_address: MTU of enP2p1s0f0np0 is 1500, will be 9000", *RECONFIRMED),
    ),
    Drift(
        "an address removed",
        "sudo ip address del 192.168.100.11/25 dev enp1s0f0np0",
        READDRESSED,
        (
            "spark-2 fabric_address: address of enp1s0f0np0 is unset, will be 192.168.100.11/25",
            *RECONFIRMED,
        ),
    ),
    Drift(
        "daemon.json stripped of the GPU",
        f"sudo sed -i '/NVIDIA_GPU=/d' {DAEMON} && sudo systemctl restart docker",
        frozenset({"spark-2-docker_daemon"}),
        ("spark-2 docker_daemon: node-generic-resources is unset, will be NVIDIA_GPU=GPU-UUID",),
    ),
    Drift(
        "worker left the swarm",
        "sudo docker swarm leave",
        frozenset({"spark-2-swarm", "spark-1-swarm_labels"}),
        (
            "spark-2 swarm: in no Swarm, will join the one of HEAD:2377",
            "spark-1 swarm_labels: a dependency changes; will be re-verified",
        ),
    ),
    Drift(
        "netplan file of another tool added",
        "sudo install -m 0600 /dev/stdin /etc/netplan/99-other.yaml",
        READDRESSED,
        (
            "spark-2 fabric_address: /etc/netplan/99-other.yaml names enp1s0f0np0 too, "
            "will be taken over",
            *RECONFIRMED,
        ),
        FOREIGN_NETPLAN,
    ),
]


@pytest.fixture(scope="module")
def deployment(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    machines = rack(nodes=2, fabric="direct")
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("deployment"))
    deployment.cluster["swarm"] = {"enabled": True}
    deployment.up()
    return deployment


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


def build_expected_lines(lines: tuple[str, ...], machines: RackHandle) -> list[str]:
    """Lines with this rack's own GPU and addresses."""
    gpu = machines.must("spark-2", "nvidia-smi --query-gpu=uuid --format=csv,noheader").strip()
    head = str(machines.find_node("spark-1").address)
    return sorted(line.replace("GPU-UUID", gpu).replace("HEAD", head) for line in lines)


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_drift_is_said_and_only_that_step_runs_each_time_anew(
    drift: Drift, deployment: Deployment, machines: RackHandle
) -> None:
    for _ in range(2):
        machines.must("spark-2", drift.script, drift.stdin)
        preview = deployment.preview()
        assert preview.messages == build_expected_lines(drift.lines, machines)
        assert preview.changed == drift.steps
        assert deployment.up().changed == drift.steps
        assert deployment.preview().changed == set()


def test_a_removed_label_is_said_and_set_again(
    deployment: Deployment, machines: RackHandle
) -> None:
    machines.must("spark-1", "sudo docker node update --label-rm sparkform.node spark-2")
    line = "spark-1 swarm_labels: label sparkform.node of spark-2 is unset, will be spark-2"
    assert deployment.preview().messages == [line]
    assert deployment.up().changed == {"spark-1-swarm_labels"}
    assert deployment.preview().changed == set()


def test_a_saved_plan_is_what_up_then_does(
    deployment: Deployment, machines: RackHandle, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    machines.must("spark-2", "echo NCCL_IB_DISABLE=1 | sudo tee -a /etc/nccl.conf")
    planned = deployment.preview(f"--save-plan={plan}")
    assert deployment.up(f"--plan={plan}").changed == planned.changed == {"spark-2-nccl_conf"}
