"""Faults of a real (simulated) rack, each found by doctor under its name and with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.rack.command_line import DOCTOR_GUARD_S, RackProject, create_project
from tests.rack.conftest import RackFactory

pytestmark = pytest.mark.rack

HALF_B = "enP2p1s0f0np0"


@pytest.fixture(scope="module")
def project(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> RackProject:
    """Two nodes with the planned addresses on the fabric, but never brought up."""
    project = create_project(rack(2, "direct"), tmp_path_factory.mktemp("direct"))
    result = project.init()
    assert result.code == 0, result.err
    project.assign_addresses()
    return project


@contextmanager
def break_rack(project: RackProject, fault: str, *arguments: str) -> Iterator[None]:
    project.rack.break_(fault, *arguments)
    try:
        yield
    finally:
        project.rack.mend(fault, *arguments)


def list_rows(project: RackProject, node: str, name: str) -> list[dict[str, Any]]:
    result, checks = project.run_doctor()
    print(f"\ndoctor: {result.took_s:.2f} s")
    assert result.took_s < DOCTOR_GUARD_S
    return [row for row in checks if (row["node"], row["name"]) == (node, name)]


def test_packets_pass_on_both_halves_of_a_sound_cable(project: RackProject) -> None:
    (row,) = list_rows(project, "spark-1", "cable")
    assert row["status"] == "ok"
    assert row["message"].endswith("packets of 9000 bytes pass on both halves")


def test_one_half_without_a_link(project: RackProject) -> None:
    with break_rack(project, "link-down", "spark-2", HALF_B):
        (row,) = list_rows(project, "spark-1", "cable")
    assert row["status"] == "fail"
    assert "half only: enp1s0f0np0 has a link and this one has none" in row["message"]


def test_the_mtu_of_one_end(project: RackProject) -> None:
    with break_rack(project, "mtu", "spark-2", HALF_B, "1500"):
        (row,) = list_rows(project, "spark-1", "cable")
    project.assign_addresses()
    assert "packets of 9000 bytes are lost, small ones pass" in row["message"]
    assert row["fix"] == f"likely the MTU of spark-2 {HALF_B} is smaller"


def test_no_gpu_and_no_dockerd(project: RackProject) -> None:
    with break_rack(project, "gpu-gone", "spark-2"), break_rack(project, "docker-stop", "spark-2"):
        result, checks = project.run_doctor()
    failed = {(row["node"], row["name"]) for row in checks if row["status"] == "fail"}
    assert failed == {("spark-2", "gpu"), ("spark-2", "docker")}
    assert result.code == 1


def test_a_node_whose_ssh_server_is_stopped(project: RackProject) -> None:
    with break_rack(project, "sshd-stop", "spark-2"):
        result, checks = project.run_doctor()
    (row,) = [check for check in checks if check["status"] == "fail"]
    assert (row["node"], row["name"]) == ("spark-2", "login")
    assert row["fix"].startswith("On the node's own console: `sudo systemctl enable --now ssh`")
    assert result.took_s < DOCTOR_GUARD_S


def test_a_node_that_belongs_to_another_stack(project: RackProject) -> None:
    claim = "/var/lib/sparkform/claim"
    plant = f"sudo mkdir -p /var/lib/sparkform && echo spark/lab | sudo tee {claim}"
    project.rack.must("spark-2", plant)
    (row,) = list_rows(project, "spark-2", "claim")
    project.rack.must("spark-2", "sudo rm -r /var/lib/sparkform")
    assert row["message"] == "belongs to stack spark/lab, not to sparkform/lab"
    (row,) = list_rows(project, "spark-2", "claim")
    assert row["status"] == "ok"


def test_a_firewall_is_answered_with_the_ports_and_commands(project: RackProject) -> None:
    if project.rack.ask("spark-1", "command -v iptables").returncode:
        pytest.fail("the node image lacks iptables")
    project.rack.must("spark-1", "sudo iptables -A INPUT -p tcp --dport 9999 -j DROP")
    try:
        (row,) = list_rows(project, "spark-1", "firewall")
    finally:
        project.rack.must("spark-1", "sudo iptables -D INPUT -p tcp --dport 9999 -j DROP")
    assert row["status"] == "warn"
    assert "sudo ufw allow proto tcp from any to any port 22" in row["fix"]


def test_a_cable_in_the_other_port_than_declared(project: RackProject) -> None:
    stack_text = project.stack.read_text()
    tree = yaml.safe_load(stack_text)
    tree["config"]["sparkform:cluster"]["nodes"][1]["qsfpPort"] = 1
    project.stack.write_text(yaml.safe_dump(tree))
    try:
        rows = list_rows(project, "spark-2", "cable")
    finally:
        project.stack.write_text(stack_text)
    assert len(rows) == 2
    for row in rows:
        assert "wrong port: spark-2 has its link on port 0, the plan says 1" in row["message"]


def test_a_ring_that_runs_the_other_way_round(
    rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cabling = "spark-1:0-spark-3:1,spark-3:0-spark-2:1,spark-2:0-spark-1:1"
    ring = create_project(rack(3, "ring", cabling=cabling), tmp_path_factory.mktemp("ring"))
    assert ring.init().code == 0
    ring.assign_addresses()
    rows = list_rows(ring, "spark-1", "cable")
    assert len(rows) == 4
    messages = "\n".join(row["message"] for row in rows)
    assert (
        "wrong cabling: the cable leads to spark-3 enp1s0f1np1, the plan says spark-2" in messages
    )
    assert (
        "wrong cabling: the cable leads to spark-2 enp1s0f0np0, the plan says spark-3" in messages
    )
