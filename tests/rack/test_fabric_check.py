"""Each fault of a link that a person can mend is named by the check, at the end that sees it.

Most faults are planted on a rack that is up, and the step is run there as `pulumi up` would run it;
those that begin with the cabling are seen through a whole `up`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from node.host.paths import RECEIPTS, ZIPAPP
from node.steps.fabric_check import SETTLE_S
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

HALF_A, HALF_B = "enp1s0f0np0", "enP2p1s0f0np0"
PORT_0 = "fabric_check:0"
# spark-1's port 0 should lead to spark-2: here it leads to spark-3, and so on around.
OTHER_WAY_ROUND = "spark-1:0-spark-3:1,spark-3:0-spark-2:1,spark-2:0-spark-1:1"


def deploy(nodes: RackHandle, folder: Path, mtu: int | None = None) -> Deployment:
    deployment = Deployment.create(nodes, folder)
    deployment.cluster["fabric"] |= {} if mtu is None else {"mtu": mtu}
    deployment.up()
    return deployment


@pytest.fixture(scope="module")
def direct(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> RackHandle:
    nodes = rack(nodes=2, fabric="direct")
    deploy(nodes, tmp_path_factory.mktemp("direct"))
    return nodes


@pytest.fixture(scope="module")
def switch(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> RackHandle:
    nodes = rack(nodes=3, fabric="switch")
    deploy(nodes, tmp_path_factory.mktemp("switch"), mtu=9000)
    return nodes


@pytest.fixture(scope="module")
def ring(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> RackHandle:
    nodes = rack(nodes=3, fabric="ring")
    deploy(nodes, tmp_path_factory.mktemp("ring"))
    return nodes


@contextmanager
def break_rack(nodes: RackHandle, *faults: tuple[str, ...]) -> Iterator[None]:
    """`faults` in the words of `rack break`. An end's MTU comes back when its link was down."""
    with ExitStack() as stack:
        for fault, *arguments in faults:
            nodes.break_(fault, *arguments)
            stack.callback(nodes.mend, fault, *arguments)
        yield


def run_check(nodes: RackHandle, host: str, step: str = PORT_0) -> list[str]:
    """What the step says there, run again with its own document; [] where the links pass."""
    document = f"sudo cat {RECEIPTS}/{step}.json"
    answer = nodes.ask(host, f"{document} | sudo python3 {ZIPAPP} apply {step}", timeout_s=90)
    assert answer.returncode in (0, 1), answer.stderr
    return answer.stderr.strip().splitlines() if answer.returncode else []


@contextmanager
def expect_quick_end() -> Iterator[None]:
    """One check is over before the patience that a settling link is given."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < SETTLE_S


def test_sound_links_pass_from_both_ends(direct: RackHandle) -> None:
    assert [run_check(direct, host) for host in direct.hosts] == [[], []]


def test_half_only(direct: RackHandle) -> None:
    with break_rack(direct, ("link-down", "spark-2", HALF_B)):
        (message,) = run_check(direct, "spark-1")
    assert message == (
        f"cable spark-1:0-spark-2:0, spark-1 {HALF_B} to spark-2 {HALF_B}: half only: {HALF_A} has "
        "a link and this one has none; reseat the cable at both ends"
    )


def test_the_cable_itself(direct: RackHandle) -> None:
    with break_rack(direct, ("link-down", "spark-1", HALF_A), ("link-down", "spark-1", HALF_B)):
        messages = run_check(direct, "spark-2")
    assert len(messages) == 2
    assert all("no link: the cable is out at one end" in line for line in messages)
    assert all(line.endswith("or spark-1 is off") for line in messages)


def test_the_mtu_of_one_end(direct: RackHandle) -> None:
    with break_rack(direct, ("mtu", "spark-2", HALF_B, "1500")):
        with expect_quick_end():
            (far,) = run_check(direct, "spark-1")
        with expect_quick_end():
            (near,) = run_check(direct, "spark-2")
    assert far.endswith(
        "packets of 9000 bytes are lost, small ones pass; "
        f"likely the MTU of spark-2 {HALF_B} is smaller"
    )
    assert near.endswith("MTU of spark-2 is 1500, expected 9000; `pulumi up` sets it")


def test_the_wrong_port(direct: RackHandle, tmp_path: Path) -> None:
    """The plan says port 1 of spark-2, the cable is in port 0."""
    deployment = Deployment.create(direct, tmp_path, stack="wrong")
    deployment.cluster["nodes"][1]["qsfpPort"] = 1
    for host in direct.hosts:
        direct.must(host, f"sudo python3 {ZIPAPP} undo --all < /dev/null")
    outcome = deployment.run("up", "--yes", "--skip-preview")
    errors = "\n".join(outcome.errors)
    assert outcome.exit_code != 0
    assert errors.count("wrong port: spark-2 has its link on port 0, the plan says 1; move") >= 2
    deployment.destroy()


def test_the_switch_is_told_from_a_node_behind_it(switch: RackHandle) -> None:
    assert [run_check(switch, host) for host in switch.hosts] == [[], [], []]
    with break_rack(switch, ("mtu", "switch", "1500")):
        with expect_quick_end():
            of_switch = run_check(switch, "spark-3")
        (unsure, _) = run_check(switch, "spark-1")
    assert len(of_switch) == 2
    assert all(
        line.endswith("small ones pass; likely the MTU of the switch's ports is below 9000")
        for line in of_switch
    )
    assert unsure.endswith("likely the MTU of the switch's ports is below 9000 (or of spark-2)")
    with break_rack(switch, ("mtu", "spark-2", HALF_A, "1500")):
        (of_node,) = run_check(switch, "spark-3")
    assert of_node.endswith("large ones pass to other nodes; likely the MTU of spark-2")


def test_a_pulled_cable_of_a_ring_is_not_taken_for_a_wrong_port(ring: RackHandle) -> None:
    with break_rack(ring, ("link-down", "spark-1", HALF_A), ("link-down", "spark-1", HALF_B)):
        messages = run_check(ring, "spark-1")
        assert run_check(ring, "spark-1", "fabric_check:1") == []
    assert len(messages) == 2
    assert all("no link: the cable is out at one end" in line for line in messages)


def test_a_ring_that_is_cabled_wrongly(rack: RackFactory, tmp_path: Path) -> None:
    nodes = rack(nodes=3, fabric="ring", cabling=OTHER_WAY_ROUND)
    deployment = Deployment.create(nodes, tmp_path)
    outcome = deployment.run("up", "--yes", "--skip-preview")
    errors = "\n".join(outcome.errors)
    assert outcome.exit_code != 0
    for end, actual, planned in (
        ("spark-1 enp1s0f0np0", "spark-3 enp1s0f1np1", "spark-2 enp1s0f1np1"),
        ("spark-3 enP2p1s0f0np0", "spark-2 enP2p1s0f1np1", "spark-1 enP2p1s0f1np1"),
    ):
        cause = f"wrong cabling: the cable leads to {actual}, the plan says {planned}"
        assert f"{end} to {planned}: {cause}" in errors
