"""Faults of a real (simulated) rack, each found by doctor under its name and with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.rack.command_line import DOCTOR_GUARD_S, Bench, bench
from tests.rack.conftest import RackFactory

pytestmark = pytest.mark.rack

HALF_B = "enP2p1s0f0np0"


@pytest.fixture(scope="module")
def direct(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two nodes with the planned addresses on the fabric, but never brought up."""
    found = bench(rack(2, "direct"), tmp_path_factory.mktemp("direct"))
    ran = found.init()
    assert ran.code == 0, ran.err
    found.address_fabric()
    return found


@contextmanager
def broken(direct: Bench, what: str, *words: str) -> Iterator[None]:
    direct.rack.break_(what, *words)
    try:
        yield
    finally:
        direct.rack.mend(what, *words)


def rows(direct: Bench, node: str, name: str) -> list[dict[str, Any]]:
    ran, checks = direct.checks()
    print(f"\ndoctor: {ran.took_s:.2f} s")
    assert ran.took_s < DOCTOR_GUARD_S
    return [one for one in checks if (one["node"], one["name"]) == (node, name)]


def test_packets_pass_on_both_halves_of_a_sound_cable(direct: Bench) -> None:
    (found,) = rows(direct, "spark-1", "cable")
    assert found["status"] == "ok"
    assert found["message"].endswith("packets of 9000 bytes pass on both halves")


def test_one_half_without_a_link(direct: Bench) -> None:
    with broken(direct, "link-down", "spark-2", HALF_B):
        (found,) = rows(direct, "spark-1", "cable")
    assert found["status"] == "fail"
    assert "half only: enp1s0f0np0 has a link and this one has none" in found["message"]


def test_the_mtu_of_one_end(direct: Bench) -> None:
    with broken(direct, "mtu", "spark-2", HALF_B, "1500"):
        (found,) = rows(direct, "spark-1", "cable")
    direct.address_fabric()
    assert "packets of 9000 bytes are lost, small ones pass" in found["message"]
    assert found["fix"] == f"likely the MTU of spark-2 {HALF_B} is smaller"


def test_no_gpu_and_no_dockerd(direct: Bench) -> None:
    with broken(direct, "gpu-gone", "spark-2"), broken(direct, "docker-stop", "spark-2"):
        ran, checks = direct.checks()
    failed = {(one["node"], one["name"]) for one in checks if one["status"] == "fail"}
    assert failed == {("spark-2", "gpu"), ("spark-2", "docker")}
    assert ran.code == 1


def test_a_node_whose_ssh_server_is_stopped(direct: Bench) -> None:
    with broken(direct, "sshd-stop", "spark-2"):
        ran, checks = direct.checks()
    (found,) = [one for one in checks if one["status"] == "fail"]
    assert (found["node"], found["name"]) == ("spark-2", "login")
    assert found["fix"].startswith("On the node's own console: `sudo systemctl enable --now ssh`")
    assert ran.took_s < DOCTOR_GUARD_S


def test_a_node_that_belongs_to_another_stack(direct: Bench) -> None:
    claim = "/var/lib/sparkform/claim"
    plant = f"sudo mkdir -p /var/lib/sparkform && echo spark/lab | sudo tee {claim}"
    direct.rack.must("spark-2", plant)
    (found,) = rows(direct, "spark-2", "claim")
    direct.rack.must("spark-2", "sudo rm -r /var/lib/sparkform")
    assert found["message"] == "belongs to stack spark/lab; this is sparkform/lab"
    (found,) = rows(direct, "spark-2", "claim")
    assert found["status"] == "ok"


def test_a_firewall_is_answered_with_the_ports_and_commands(direct: Bench) -> None:
    if direct.rack.ask("spark-1", "command -v iptables").returncode:
        pytest.fail("the node image lacks iptables")
    direct.rack.must("spark-1", "sudo iptables -A INPUT -p tcp --dport 9999 -j DROP")
    try:
        (found,) = rows(direct, "spark-1", "firewall")
    finally:
        direct.rack.must("spark-1", "sudo iptables -D INPUT -p tcp --dport 9999 -j DROP")
    assert found["status"] == "warn"
    assert "sudo ufw allow proto tcp from any to any port 22" in found["fix"]


def test_a_cable_in_the_other_port_than_declared(direct: Bench) -> None:
    kept = direct.stack.read_text()
    tree = yaml.safe_load(kept)
    tree["config"]["sparkform:cluster"]["nodes"][1]["qsfpPort"] = 1
    direct.stack.write_text(yaml.safe_dump(tree))
    try:
        found = rows(direct, "spark-2", "cable")
    finally:
        direct.stack.write_text(kept)
    assert len(found) == 2
    for one in found:
        assert "wrong port: spark-2 has its link on port 0, the plan says 1" in one["message"]


def test_a_ring_that_runs_the_other_way_round(
    rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cabling = "spark-1:0-spark-3:1,spark-3:0-spark-2:1,spark-2:0-spark-1:1"
    ring = bench(rack(3, "ring", cabling=cabling), tmp_path_factory.mktemp("ring"))
    assert ring.init().code == 0
    ring.address_fabric()
    found = rows(ring, "spark-1", "cable")
    assert len(found) == 4
    said = "\n".join(one["message"] for one in found)
    assert "cabled wrongly: it leads to spark-3 enp1s0f1np1, the plan says spark-2" in said
    assert "cabled wrongly: it leads to spark-2 enp1s0f0np0, the plan says spark-3" in said
