"""`doctor --bandwidth` between two nodes: by iperf3, as ib_write_bw is on none of them."""

from __future__ import annotations

import re

import pytest

from node.host.paths import BANDWIDTH
from tests.rack.command_line import RackProject, create_project
from tests.rack.conftest import RackFactory

pytestmark = pytest.mark.rack

NODES = ("spark-1", "spark-2")
CABLE = "spark-1:0-spark-2:0"
FIGURES = re.compile(
    rf"{CABLE}: ([0-9.]+) of 200 Gb/s to (spark-[12]) "
    r"\(enp1s0f0np0 ([0-9.]+), enP2p1s0f0np0 ([0-9.]+) alone; iperf3\)"
)
PROGRAM = "/usr/bin/iperf3"
GUARD_S = 60.0
"""The goal is 10 s a cable."""


@pytest.fixture(scope="module")
def project(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> RackProject:
    """Its halves have their addresses, and belong to no stack."""
    project = create_project(rack(2, "direct"), tmp_path_factory.mktemp("bandwidth"))
    result = project.init()
    assert result.code == 0, result.err
    project.assign_addresses()
    return project


def measure(project: RackProject) -> list[dict[str, str]]:
    result = project.run("doctor", project.stack, "--bandwidth", "--json")
    assert result.took_s < GUARD_S
    checks = result.parse_json()["checks"]
    return [row for row in checks if row["name"] == "bandwidth"]


def test_each_half_and_both_are_measured_from_one_node_to_the_other(project: RackProject) -> None:
    (row,) = measure(project)
    match = FIGURES.fullmatch(row["message"])
    assert match is not None, row
    both, peer, *halves = match.groups()
    assert {row["node"], peer} == {*NODES}
    assert min(map(float, [both, *halves])) > 0


def test_a_rack_of_no_stack_keeps_nothing_of_it(project: RackProject) -> None:
    for host in NODES:
        assert project.rack.ask(host, f"sudo test -e {BANDWIDTH}").returncode != 0
        assert project.rack.ask(host, "pgrep -x iperf3").returncode != 0


def test_a_link_that_carries_a_part_of_what_it_reports_fails(project: RackProject) -> None:
    project.rack.break_("slow-link", "500mbit")
    try:
        (row,) = measure(project)
    finally:
        project.rack.mend("slow-link")
    match = FIGURES.fullmatch(row["message"])
    assert match is not None, row
    assert row["status"] == "fail"
    assert max(float(figure) for figure in match.groups()[2:]) <= 0.6
    assert "unplug their power" in str(row["fix"])


def test_a_node_without_any_of_the_programs_says_what_to_install(project: RackProject) -> None:
    project.rack.must("spark-1", f"sudo mv {PROGRAM} {PROGRAM}.away")
    try:
        (row,) = measure(project)
    finally:
        project.rack.must("spark-1", f"sudo mv {PROGRAM}.away {PROGRAM}")
    assert row["message"] == (
        f"{CABLE}: not measured: neither ib_write_bw nor iperf3 is on both nodes"
    )
    assert row["fix"] == "`sudo apt install perftest iperf3` on both nodes"


def test_a_firewall_in_the_way_is_told_in_the_programs_words(
    project: RackProject,
) -> None:
    rule = "INPUT -p tcp --dport 12000:12003 -j REJECT --reject-with tcp-reset"
    for host in NODES:
        project.rack.must(host, f"sudo iptables -I {rule}")
    try:
        (row,) = measure(project)
    finally:
        for host in NODES:
            project.rack.must(host, f"sudo iptables -D {rule}")
    assert row["status"] == "warn"
    assert row["message"].startswith(f"{CABLE}: not measured: ")
    assert "iperf3 over enp1s0f0np0: unable to " in row["message"]
