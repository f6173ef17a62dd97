"""ARP of the halves, and what others do to a half: named, refused or put right by one `up`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from node.host.paths import RECEIPTS, ZIPAPP
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

NODE, HALF = "spark-2", "enP2p1s0f0np0"
ARP = f"/proc/sys/net/ipv4/conf/{HALF}/arp_ignore"
PROFILE = "/etc/NetworkManager/system-connections/cx7.nmconnection"
PROFILE_TEXT = f"[connection]\nid=cx7\ntype=ethernet\ninterface-name={HALF}\nautoconnect=false\n"


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


@pytest.fixture(scope="module")
def stack(machines: RackHandle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Its end shows that all of it is taken back."""
    before = compute_digest(machines)
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("settings"))
    deployment.up()
    yield deployment
    deployment.destroy()
    assert list_changes(before, compute_digest(machines)) == []


def check_cable(machines: RackHandle, host: str) -> str:
    """What the check says at this end, run again with its own document."""
    step = "fabric_check:0"
    document = f"sudo cat {RECEIPTS}/{step}.json"
    return machines.ask(host, f"{document} | sudo python3 {ZIPAPP} apply {step}").stderr


def test_halves_that_answer_for_each_other_are_bound_by_one_up(
    machines: RackHandle, stack: Deployment
) -> None:
    machines.must(NODE, f"echo 0 | sudo tee {ARP}")
    line = f"{NODE} fabric_address: ARP of {HALF} answers for others, will not any more"
    assert line in stack.preview().messages
    stack.up()
    assert machines.must(NODE, f"cat {ARP}") == "1\n"
    assert stack.up().changed == set()


def test_no_cable_is_blamed_once_nobody_knows_who_answers(
    machines: RackHandle, stack: Deployment
) -> None:
    for _ in range(3):
        for host in machines.hosts:
            machines.must(host, "sudo ip neigh flush all")
        assert [check_cable(machines, host) for host in machines.hosts] == ["", ""]


def test_a_profile_of_network_manager_is_refused_by_name(
    machines: RackHandle, stack: Deployment
) -> None:
    machines.must(NODE, f"sudo install -m 0600 /dev/stdin {PROFILE}", PROFILE_TEXT)
    try:
        preview = stack.preview()
        outcome = stack.run("up", "--yes", "--skip-preview")
    finally:
        machines.must(NODE, f"sudo rm {PROFILE}")
    assert any(f"{PROFILE} names {HALF} too" in line for line in preview.messages)
    assert outcome.exit_code != 0
    assert stack.up().changed_steps <= {f"{NODE}-fabric_address", f"{NODE}-fabric_confirm"} | {
        f"{host}-fabric_check-0" for host in machines.hosts
    }


def test_a_half_in_a_bridge_is_refused_by_name(machines: RackHandle, stack: Deployment) -> None:
    machines.must(NODE, f"sudo ip link add br9 type bridge && sudo ip link set {HALF} master br9")
    try:
        outcome = stack.run("up", "--yes", "--skip-preview")
    finally:
        machines.must(NODE, f"sudo ip link set {HALF} nomaster && sudo ip link del br9")
    assert outcome.exit_code != 0
    assert f"{HALF} of {NODE} is a port of br9" in "\n".join(outcome.errors)
    assert stack.up().changed == set()
