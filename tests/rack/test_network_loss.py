"""A network change that takes the way in away is taken back by the node, power cut or not.

Under NetworkManager, as on DGX OS; `make rounds` adds networkd.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.host.paths import ARMED_NETWORK
from node.network.arming import LIMIT_S
from tests.rack.conftest import RackFactory
from tests.support.deployment import RUN_LIMIT_S, Deployment
from tests.support.digest import Digest, compute_digest, list_changes
from tests.support.pausing import Point, plant_stand_in
from tests.support.rack import RackHandle
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.rack, pytest.mark.long]

RENDERERS = ["networkmanager", pytest.param("networkd", marks=pytest.mark.rounds)]
HOST = "spark-2"
# In the fabric's default pool, as the address of somebody behind a router may be: once the node
# has the fabric's addresses, its answers leave by the fabric.
ADDRESS_IN_POOL = "192.168.100.77"
# The timer is exact to a second; then netplan is applied, and the network settles.
COME_BACK_S = LIMIT_S + 30


@pytest.fixture(scope="module", params=RENDERERS)
def machines(request: pytest.FixtureRequest, rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct", renderer=request.param)


@pytest.fixture
def deployment(machines: RackHandle, tmp_path: Path) -> Deployment:
    return Deployment.create(machines, tmp_path)


@pytest.fixture(autouse=True)
def before(machines: RackHandle) -> Digest:
    return compute_digest(machines)


@contextmanager
def log_in_from(address: str, rack: RackHandle, host: str) -> Iterator[None]:
    """Every connection from this machine to the node bears this source address."""
    node = f"{rack.find_node(host).address}/32"
    route = [node, "dev", rack.rack.host_link, "src", address]
    subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    try:
        subprocess.run(["ip", "route", "add", *route], check=True)
        yield
    finally:
        subprocess.run(["ip", "route", "del", *route])
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)


def can_log_in(rack: RackHandle, host: str) -> bool:
    """Whether a new login succeeds within a few seconds."""
    try:
        return rack.ask(host, "true", timeout_s=5).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def list_remaining(deployment: Deployment) -> list[str]:
    """What preview says of the addresses of the node, without the time of day."""
    lines = deployment.preview().lines[f"{HOST}-fabric_address"]
    return [line.partition(" at 2")[0] for line in lines]


def list_fabric_addresses(rack: RackHandle) -> list[str]:
    return [
        address
        for name in ("enp1s0f0np0", "enP2p1s0f0np0")
        for address in rack.read_addresses(HOST, name)
    ]


def assert_converges(deployment: Deployment, machines: RackHandle, before: Digest) -> None:
    deployment.up()
    assert len(list_fabric_addresses(machines)) == 2
    assert deployment.up().changed == set()
    deployment.destroy()
    assert list_changes(before, compute_digest(machines)) == []


def test_a_change_that_cuts_management_is_taken_back_by_the_node(
    machines: RackHandle, deployment: Deployment, before: Digest
) -> None:
    with log_in_from(ADDRESS_IN_POOL, machines, HOST):
        assert can_log_in(machines, HOST)
        with deployment.start("up") as engine:
            wait_until(lambda: not can_log_in(machines, HOST), "logins still succeed", 60, 1)
            cut_s = wait_until(
                lambda: can_log_in(machines, HOST), "no login succeeds again", COME_BACK_S, 1
            )
            assert engine.wait(RUN_LIMIT_S) != 0
    assert cut_s > LIMIT_S / 2, "something else than the timer gave the way in back"
    assert "Network rolled back at" in deployment.read_output()
    assert list_fabric_addresses(machines) == []
    assert f"{HOST} fabric_address: network rolled back" in list_remaining(deployment)
    assert_converges(deployment, machines, before)


def test_after_a_power_cut_before_the_confirmation_the_node_starts_with_the_old_network(
    machines: RackHandle, deployment: Deployment, before: Digest
) -> None:
    with plant_stand_in(machines, HOST) as pause:
        pause.write_order(Point(("apply", "fabric_confirm"), f"os.remove {ARMED_NETWORK}"))
        with deployment.start("up") as engine:
            pause.await_stop(engine)
            assert len(list_fabric_addresses(machines)) == 2
            machines.break_("off", HOST)
            machines.mend("off", HOST)
            assert engine.wait(RUN_LIMIT_S) != 0
    assert list_fabric_addresses(machines) == []
    assert f"{HOST} fabric_address: network rolled back" in list_remaining(deployment)
    assert_converges(deployment, machines, before)
