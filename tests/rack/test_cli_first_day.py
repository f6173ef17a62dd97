"""A rack's first day: init, plan and doctor on untouched nodes, and what they leave there."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkform.config import load_stack
from tests.rack.command_line import DOCTOR_GUARD_S, Bench, bench
from tests.rack.conftest import RackFactory

pytestmark = pytest.mark.rack

PICTURE = (
    "sudo find /etc /usr/local /home /root /var/lib/sparkform -type f "
    "-printf '%p %s %m %u %T@\\n' 2>/dev/null | sort; ip -json address; ip route"
)


@pytest.fixture(scope="module")
def direct(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    found = bench(rack(2, "direct"), tmp_path_factory.mktemp("direct"))
    ran = found.init()
    assert ran.code == 0, ran.err
    return found


def test_without_accepted_fingerprints_nothing_is_written(direct: Bench, tmp_path: Path) -> None:
    other = bench(direct.rack, tmp_path)
    ran = other.run("init", *other.logins, "--identity-file", other.identity)
    assert ran.code == 2
    for fingerprint in other.fingerprints():
        assert f"run again with --accept {fingerprint}" in ran.err
    assert [file.name for file in tmp_path.iterdir()] == ["Pulumi.yaml"]


def test_init_writes_what_the_nodes_are(direct: Bench) -> None:
    spec = load_stack(direct.stack)
    assert [(one.name, one.host) for one in spec.nodes] == [
        (node.hostname, str(node.address)) for node in direct.rack.rack.nodes
    ]
    keys = "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub"
    assert [one.host_key for one in spec.nodes] == [
        direct.rack.must(host, keys).strip() for host in direct.rack.hosts
    ]
    assert spec.cluster.fabric.topology == "direct"


@pytest.mark.parametrize(
    ("count", "fabric", "topology"),
    [(1, "none", "none"), (3, "ring", "ring"), (3, "switch", "switch")],
)
def test_other_cablings_are_detected(
    rack: RackFactory, tmp_path: Path, count: int, fabric: str, topology: str
) -> None:
    found = bench(rack(count, fabric), tmp_path)
    ran = found.init()
    assert ran.code == 0, ran.err
    assert load_stack(found.stack).cluster.fabric.topology == topology
    ran, checks = found.checks()
    print(f"\ndoctor on {count} untouched nodes, {fabric}: {ran.took_s:.2f} s")
    assert [one for one in checks if one["status"] == "fail"] == []
    assert ran.took_s < DOCTOR_GUARD_S


def test_plan_and_doctor_change_nothing_and_log_in_once_a_node(
    rack: RackFactory, tmp_path: Path
) -> None:
    direct = bench(rack(2, "direct"), tmp_path)
    assert direct.init().code == 0
    logins = "sudo journalctl -u ssh --no-pager -q | grep -c 'Accepted publickey'"
    pictures = {host: direct.rack.must(host, PICTURE) for host in direct.rack.hosts}
    before = {host: int(direct.rack.must(host, logins)) for host in direct.rack.hosts}
    ran, checks = direct.checks()
    after = {host: int(direct.rack.must(host, logins)) for host in direct.rack.hosts}
    assert direct.run("plan", direct.stack).code == 0
    print(f"\ndoctor on 2 untouched nodes, direct: {ran.took_s:.2f} s, {len(checks)} rows")
    assert ran.took_s < DOCTOR_GUARD_S
    # One of the two logins is the one that counts.
    assert {host: after[host] - before[host] for host in after} == dict.fromkeys(after, 2)
    assert {host: direct.rack.must(host, PICTURE) for host in pictures} == pictures
    direct.rack.must("spark-1", "sudo touch /etc/planted")
    assert direct.rack.must("spark-1", PICTURE) != pictures["spark-1"]
    direct.rack.must("spark-1", "sudo rm /etc/planted")
