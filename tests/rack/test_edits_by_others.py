"""What others changed while the rack was set up stays when it goes; what is ours goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.digest import Digest, compute_digest, list_changes
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

DAEMON, NCCL, OURS = "/etc/docker/daemon.json", "/etc/nccl.conf", "/etc/netplan/60-sparkform.yaml"
NETPLAN = "/etc/netplan/70-others.yaml"
MIRROR = {"registry-mirrors": ["https://mirror.example"]}
NCCL_BEFORE = "# tuned by hand\nNCCL_IB_DISABLE=1\nNCCL_SOCKET_FAMILY=AF_INET\n"
NCCL_LINE = "NCCL_DEBUG=INFO\n"
NETPLAN_TEXT = """# of another tool
network:
  version: 2
  ethernets:
    enp9s9:
      optional: true
      addresses: [192.168.50.1/24]
"""
ADD_MIRROR = f"""
import json, pathlib
path = pathlib.Path("{DAEMON}")
settings = json.loads(path.read_text())
path.write_text(json.dumps({{**{MIRROR!r}, **settings}}, indent=4))
"""
# The smallest image that can run: Debian's static busybox, made in the node itself. A limit of its
# own, because the rack cannot give it the one that dockerd now has by default (docs/rack.md).
RUN_CONTAINER = """
mkdir -p /tmp/image/bin && cp /usr/bin/busybox /tmp/image/bin/sleep
tar --create --directory /tmp/image . | sudo docker import - tiny:1
OPTIONS="--restart always --network none --ulimit memlock=65536"
sudo docker run --detach $OPTIONS --name theirs tiny:1 /bin/sleep 3600
"""
# A node as it comes: the user is in no group docker yet, and the last change of the group file
# is long ago.
FRESH = f"""
sudo gpasswd --delete nvidia docker
sudo cp --preserve /etc/group /etc/group-
sudo cp --preserve /etc/gshadow /etc/gshadow-
sudo tee {NCCL}
"""
ACCOUNT_FILES = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
THEIRS = {
    *(f"file {path}" for path in (DAEMON, NCCL, NETPLAN)),
    *(f"file /etc/{name}" for name in ACCOUNT_FILES),
    # useradd's own copies of those files before its change; gpasswd's are exceptions anyway.
    *(f"file /etc/{name}-" for name in ("passwd", "shadow", "subuid", "subgid")),
    "docker containers",
    "docker images",
}
LABEL = "others.rack"
LABEL_OF = f"docker node inspect --format '{{{{index .Spec.Labels \"{LABEL}\"}}}}' spark-2"


@pytest.fixture(params=["networkmanager", "networkd"])
def machines(request: pytest.FixtureRequest, rack: RackFactory) -> RackHandle:
    machines = rack(nodes=2, fabric="direct", renderer=request.param)
    for host in machines.hosts:
        machines.must(host, FRESH, NCCL_BEFORE)
    return machines


def edit(machines: RackHandle, host: str) -> None:
    """As people and other tools do it, between `up` and `destroy`."""
    machines.must(host, "sudo python3 -", ADD_MIRROR)
    machines.must(host, "sudo useradd --create-home someone && sudo gpasswd --add someone docker")
    machines.must(host, f"sudo tee -a {NCCL}", NCCL_LINE)
    machines.must(host, f"sudo install -m 0600 /dev/stdin {NETPLAN}", NETPLAN_TEXT)
    machines.must(host, RUN_CONTAINER)


def read_texts(machines: RackHandle, path: str) -> dict[str, str]:
    return {host: machines.must(host, f"sudo cat {path}") for host in machines.hosts}


def edit_each(machines: RackHandle, before: dict[str, str], edited: Callable[[str], str]) -> object:
    return {host: edited(before[host]) for host in machines.hosts}


def add_mirror(daemon: str) -> str:
    return json.dumps({**MIRROR, **json.loads(daemon)}, indent=4)


def add_member(group_file: str) -> str:
    """As useradd and gpasswd leave it."""
    lines = [
        f"{line}someone" if line.startswith("docker:") else line for line in group_file.split()
    ]
    return "\n".join([*lines, "someone:x:1001:\n"])


def list_differing(before: Digest, after: Digest) -> set[str]:
    """What differs on any node, without the values."""
    return {line.split(": ")[1] for line in list_changes(before, after)}


def test_edits_of_others_are_no_drift_and_outlive_destroy(
    machines: RackHandle, tmp_path: Path
) -> None:
    before = compute_digest(machines)
    daemon, group = read_texts(machines, DAEMON), read_texts(machines, "/etc/group")
    deployment = Deployment.create(machines, tmp_path)
    deployment.cluster["swarm"] = {"enabled": True}
    deployment.up()
    for host in machines.hosts:
        edit(machines, host)
    machines.must("spark-1", f"sudo docker node update --label-add {LABEL}=7 spark-2")

    assert deployment.preview().messages == []
    machines.must("spark-1", "sudo docker node update --label-rm sparkform.node spark-2")
    assert deployment.up().changed == {"spark-1-swarm_labels"}
    assert machines.must("spark-1", f"sudo {LABEL_OF}") == "7\n"

    deployment.destroy()
    assert list_differing(before, compute_digest(machines)) == THEIRS
    assert read_texts(machines, DAEMON) == edit_each(machines, daemon, add_mirror)
    assert set(read_texts(machines, NCCL).values()) == {NCCL_BEFORE + NCCL_LINE}
    assert set(read_texts(machines, NETPLAN).values()) == {NETPLAN_TEXT}
    assert read_texts(machines, "/etc/group") == edit_each(machines, group, add_member)
    for host in machines.hosts:
        assert machines.must(host, "sudo docker ps --format '{{.Names}}'") == "theirs\n"
