"""A rack's first day: init, plan and doctor on untouched nodes, and what they leave there."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkform.config import load_stack
from tests.rack.command_line import DOCTOR_GUARD_S, RackProject, create_project
from tests.rack.conftest import RackFactory

pytestmark = pytest.mark.rack

SNAPSHOT = (
    "sudo find /etc /usr/local /home /root /var/lib/sparkform -type f "
    "-printf '%p %s %m %u %T@\\n' 2>/dev/null | sort; ip -json address; ip route"
)


@pytest.fixture(scope="module")
def project(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> RackProject:
    project = create_project(rack(2, "direct"), tmp_path_factory.mktemp("direct"))
    result = project.init()
    assert result.code == 0, result.err
    return project


def test_without_accepted_fingerprints_nothing_is_written(
    project: RackProject, tmp_path: Path
) -> None:
    new_project = create_project(project.rack, tmp_path)
    result = new_project.run("init", *new_project.logins, "--identity-file", new_project.identity)
    assert result.code == 2
    for fingerprint in new_project.read_fingerprints():
        assert f"run again with --accept {fingerprint}" in result.err
    assert [file.name for file in tmp_path.iterdir()] == ["Pulumi.yaml"]


def test_init_writes_what_the_nodes_are(project: RackProject) -> None:
    declaration = load_stack(project.stack)
    assert [(node.name, node.host) for node in declaration.nodes] == [
        (node.hostname, str(node.address)) for node in project.rack.rack.nodes
    ]
    keys = "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub"
    assert [node.host_key for node in declaration.nodes] == [
        project.rack.must(host, keys).strip() for host in project.rack.hosts
    ]
    assert declaration.cluster.fabric.topology == "direct"


@pytest.mark.parametrize(
    ("count", "fabric", "topology"),
    [(1, "none", "none"), (3, "ring", "ring"), (3, "switch", "switch")],
)
def test_other_cablings_are_detected(
    rack: RackFactory, tmp_path: Path, count: int, fabric: str, topology: str
) -> None:
    project = create_project(rack(count, fabric), tmp_path)
    result = project.init()
    assert result.code == 0, result.err
    assert load_stack(project.stack).cluster.fabric.topology == topology
    result, checks = project.run_doctor()
    print(f"\ndoctor on {count} untouched nodes, {fabric}: {result.took_s:.2f} s")
    assert [check for check in checks if check["status"] == "fail"] == []
    assert result.took_s < DOCTOR_GUARD_S


def test_plan_and_doctor_change_nothing_and_log_in_once_a_node(
    rack: RackFactory, tmp_path: Path
) -> None:
    project = create_project(rack(2, "direct"), tmp_path)
    assert project.init().code == 0
    logins = "sudo journalctl -u ssh --no-pager -q | grep -c 'Accepted publickey'"
    snapshots = {host: project.rack.must(host, SNAPSHOT) for host in project.rack.hosts}
    before = {host: int(project.rack.must(host, logins)) for host in project.rack.hosts}
    result, checks = project.run_doctor()
    after = {host: int(project.rack.must(host, logins)) for host in project.rack.hosts}
    assert project.run("plan", project.stack).code == 0
    print(f"\ndoctor on 2 untouched nodes, direct: {result.took_s:.2f} s, {len(checks)} rows")
    assert result.took_s < DOCTOR_GUARD_S
    # One of the two logins is the one that counts.
    assert {host: after[host] - before[host] for host in after} == dict.fromkeys(after, 2)
    assert {host: project.rack.must(host, SNAPSHOT) for host in snapshots} == snapshots
    project.rack.must("spark-1", "sudo touch /etc/planted")
    assert project.rack.must("spark-1", SNAPSHOT) != snapshots["spark-1"]
    project.rack.must("spark-1", "sudo rm /etc/planted")
