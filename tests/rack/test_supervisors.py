"""Supervisors on the rack: real containers and units, real kills, hangs, reboots and cut networks.

The engine is a script (tests/support/scripted_engine.py); what supervises it is the node program,
as a systemd unit. How it gets there is the business of the step `supervise`, and not tried here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from node.host.paths import STATE
from node.host.typed_json import parse
from node.ranks.supervisors import get_supervisor_unit
from node.supervision import paths
from node.supervision.state import Phase, SupervisionState
from tests.rack.conftest import RackFactory
from tests.rack.test_ready import PROGRAM, claim_nodes, get_address
from tests.support import scripted_engine as engine
from tests.support.rack import RackHandle
from tests.support.steady_load import SteadyLoad
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rack

TOKEN = "4be1-1"
PORT = 7680
LOST = "a process of the engine is gone (sleep)"
UNIT = f"""[Unit]
After=docker.service network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/bin/python3 {PROGRAM} supervise qwen
Restart=always
RestartSec=5
KillMode=mixed
WatchdogSec=180
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
"""


@dataclass
class SupervisedGroup:
    """A service of two containers, or of one unit, under supervisors."""

    machines: RackHandle
    hosts: list[str]
    runtime: str

    def supervise(self, limits: dict[str, Any]) -> None:
        for host in self.hosts:
            target = json.dumps(self.build_target(host, limits))
            folder = paths.get_folder("qwen")
            self.machines.must(host, f"sudo rm -rf {folder}; sudo install -d -m 0700 {folder}")
            self.write(host, paths.get_target_path("qwen"), target)
            self.write(host, paths.get_key_path("qwen"), "k" * 32)
            self.write(host, f"/etc/systemd/system/{get_supervisor_unit('qwen')}", UNIT)
            unit = get_supervisor_unit("qwen")
            self.machines.must(
                host, f"sudo systemctl daemon-reload && sudo systemctl enable --now {unit}"
            )

    def write(self, host: str, path: str, text: str) -> None:
        self.machines.must(host, f"sudo install -D -m 0600 /dev/stdin {path}", text)

    def build_target(self, host: str, limits: dict[str, Any]) -> dict[str, Any]:
        return {
            "service": "qwen",
            "token": TOKEN,
            "runtime": self.runtime,
            "engine": "vllm",
            "node": host,
            "ranks": [
                {
                    "rank": rank,
                    "node": name,
                    "address": get_address(self.machines, name),
                    "port": PORT,
                    "name": f"sparkform-qwen-{rank}",
                }
                for rank, name in enumerate(self.hosts)
            ],
            "url": self.url,
            "served_name": "Qwen/Qwen3-8B",
            "key_file": None,
            "over_rdma": False,
            "limits": {"ready_timeout_s": 600, "silence_timeout_s": 60, **limits},
        }

    def read_state(self, rank: int = 0) -> SupervisionState | None:
        path = paths.get_state_path("qwen")
        answer = self.machines.ask(self.hosts[rank], f"sudo cat {path}")
        if answer.returncode or not answer.stdout:
            return None
        return parse(SupervisionState, json.loads(answer.stdout), "state")

    def read_phase(self) -> Phase | None:
        state = self.read_state()
        return state.coordinator.phase if state and state.coordinator else None

    def await_phase(self, *phases: Phase, limit_s: float = 120.0) -> float:
        """How long it took."""
        return self.await_state(lambda: self.read_phase() in phases, limit_s)

    def await_state(self, reached: Callable[[], bool], limit_s: float) -> float:
        try:
            return wait_until(reached, "", limit_s)
        except AssertionError:
            pytest.fail(f"{self.read_state()}\n{self.read_journals()}")

    def await_service(self, epoch: int, limit_s: float = 240.0) -> None:
        """Until it serves in that epoch, or a later one, and every rank is one of it."""
        took_s = self.await_state(
            lambda: self.read_epoch() >= epoch and self.read_phase() == "serving", limit_s
        )
        print(f"serves after {took_s:.1f} s")
        states = [self.read_state(rank) for rank in range(len(self.hosts))]
        epochs = {state.member.run.epoch for state in states if state and state.member.run}
        assert epochs == {self.read_epoch()}
        assert all(engine.is_running(self.machines, host, at) for at, host in enumerate(self.hosts))

    @property
    def url(self) -> str:
        return f"http://{get_address(self.machines, self.hosts[0])}:{engine.PORT}"

    def read_epoch(self) -> int:
        state = self.read_state()
        return state.epoch if state else 0

    def read_journals(self) -> str:
        unit = get_supervisor_unit("qwen")
        return "\n".join(
            self.machines.ask(host, f"sudo journalctl -o cat -n 30 -u {unit}").stdout
            for host in self.hosts
        )

    def clear(self) -> None:
        unit = get_supervisor_unit("qwen")
        for host in self.hosts:
            self.machines.ask(host, f"sudo systemctl disable --now {unit}")
            self.machines.ask(host, f"sudo rm -rf /etc/systemd/system/{unit} {STATE}/supervision")
            engine.clear(self.machines, host)


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    machines = rack(nodes=2, fabric="direct")
    claim_nodes(machines)
    return machines


@pytest.fixture
def containers(machines: RackHandle) -> Iterator[SupervisedGroup]:
    group = SupervisedGroup(machines, machines.hosts, "container")
    group.clear()
    for rank, host in enumerate(machines.hosts):
        engine.start_container(machines, host, rank, TOKEN, engine.Plan())
        engine.await_end(machines, host, engine.Plan())
    group.supervise({"quiet_s": 6, "canary_s": 3, "stall_s": 15})
    group.await_phase("serving")
    yield group
    group.clear()


@pytest.fixture
def unit(machines: RackHandle) -> Iterator[SupervisedGroup]:
    group = SupervisedGroup(machines, machines.hosts[:1], "native")
    group.clear()
    engine.start_unit(machines, group.hosts[0], TOKEN, engine.Plan())
    engine.await_end(machines, group.hosts[0], engine.Plan())
    group.supervise({"quiet_s": 6, "canary_s": 3, "max_restarts": 2})
    group.await_phase("serving")
    yield group
    group.clear()


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_brings_the_group_back(containers: SupervisedGroup, rank: int) -> None:
    machines = containers.machines
    machines.must(containers.hosts[rank], f"sudo docker kill sparkform-qwen-{rank}")
    started_s = containers.await_phase("recovering", limit_s=20)
    served_s = containers.await_phase("serving")
    print(f"rank {rank}: recovery began after {started_s:.1f} s, served {served_s:.1f} s later")
    assert started_s <= 6
    assert all(engine.is_running(machines, host, at) for at, host in enumerate(machines.hosts))
    assert containers.read_epoch() == 2
    assert machines.must(containers.hosts[rank], "sudo ls /var/log/sparkform/qwen")


def test_a_rank_that_is_stopped_hangs_and_is_restarted(containers: SupervisedGroup) -> None:
    containers.machines.must(containers.hosts[0], "sudo docker kill -s STOP sparkform-qwen-0")
    containers.await_phase("suspect", limit_s=30)
    containers.await_phase("recovering", limit_s=60)
    containers.await_phase("serving")
    assert containers.read_epoch() == 2


def test_a_killed_supervisor_touches_no_rank(containers: SupervisedGroup) -> None:
    unit = get_supervisor_unit("qwen")
    for host in containers.hosts:
        containers.machines.must(host, f"sudo systemctl kill -s KILL {unit}")
    time.sleep(12)
    containers.await_phase("serving")
    assert containers.read_epoch() == 1


def test_a_worker_whose_supervisor_is_silent_degrades_and_restarts_nothing(
    containers: SupervisedGroup,
) -> None:
    unit = get_supervisor_unit("qwen")
    containers.machines.must(containers.hosts[1], f"sudo systemctl stop {unit}")
    containers.await_phase("degraded", limit_s=30)
    time.sleep(15)
    assert containers.read_phase() == "degraded"
    containers.machines.must(containers.hosts[1], f"sudo systemctl start {unit}")
    containers.await_phase("serving", limit_s=30)
    assert containers.read_epoch() == 1


def test_a_load_goes_through_a_followers_restart_a_canary_and_scrapes(
    containers: SupervisedGroup,
) -> None:
    """Twenty requests at a time. A process that is gone inside a living rank asks the canary."""
    machines, worker = containers.machines, containers.hosts[1]
    load = SteadyLoad(containers.url, pause_s=0.1)
    with load.run():
        machines.must(worker, "sudo docker exec -d sparkform-qwen-1 /usr/bin/sleep 4321")
        machines.must(worker, f"sudo systemctl restart {get_supervisor_unit('qwen')}")
        # The new watch notes the rank's processes once it was told that the service answers.
        time.sleep(15)
        machines.must(worker, "sudo pkill -f '^/usr/bin/sleep 4321$'")
        containers.await_state(lambda: LOST in containers.read_journals(), 60)
        time.sleep(10)
    print(f"{load.answered} requests answered, {load.scraped} scrapes")
    assert load.failures == []
    assert load.answered > 200
    assert load.scraped
    assert containers.read_epoch() == 1
    containers.await_phase("serving", limit_s=30)


def test_docker_that_restarts_is_not_counted(containers: SupervisedGroup) -> None:
    containers.machines.must(containers.hosts[1], "sudo systemctl restart docker")
    containers.await_phase("recovering", "blocked", limit_s=60)
    containers.await_phase("serving")
    state = containers.read_state()
    assert state
    assert state.coordinator
    assert state.coordinator.restarts.number == 0


def test_a_container_that_is_removed_needs_an_up(containers: SupervisedGroup) -> None:
    containers.machines.must(containers.hosts[1], "sudo docker rm -f sparkform-qwen-1")
    containers.await_phase("needs-up", limit_s=30)
    wait_until(
        lambda: not engine.is_running(containers.machines, containers.hosts[0], 0),
        "rank 0 still runs",
        30,
    )


def test_a_request_restarts_the_group(containers: SupervisedGroup) -> None:
    containers.machines.must(containers.hosts[0], f"sudo touch {paths.get_request_path('qwen')}")
    containers.await_phase("recovering", limit_s=10)
    containers.await_phase("serving")
    assert containers.read_epoch() == 2


def test_both_nodes_reboot_and_the_service_serves_again(containers: SupervisedGroup) -> None:
    for host in containers.hosts:
        containers.machines.break_("reboot", host)
    took_s = containers.await_state(
        lambda: containers.read_epoch() >= 2 and containers.read_phase() == "serving", 180
    )
    print(f"serves {took_s:.1f} s after the reboots")
    state = containers.read_state()
    assert state
    assert state.coordinator
    assert (state.epoch, state.coordinator.restarts.number) == (2, 0)


@pytest.mark.parametrize("rank", [0, 1])
def test_one_node_reboots_and_the_group_comes_back_as_one(
    containers: SupervisedGroup, rank: int
) -> None:
    containers.machines.break_("reboot", containers.hosts[rank])
    containers.machines.mend("reboot", containers.hosts[rank])
    containers.await_service(2)
    state = containers.read_state()
    assert state
    assert state.coordinator
    assert state.coordinator.restarts.number == 0


def test_a_power_cut_in_the_middle_of_a_recovery_leaves_one_epoch(
    containers: SupervisedGroup,
) -> None:
    machines = containers.machines
    machines.must(containers.hosts[1], "sudo docker kill sparkform-qwen-1")
    containers.await_phase("recovering", limit_s=20)
    for host in containers.hosts:
        machines.break_("off", host)
    for host in containers.hosts:
        machines.mend("off", host)
    containers.await_service(3)


def test_a_killed_unit_is_started_again(unit: SupervisedGroup) -> None:
    unit.machines.must(unit.hosts[0], "sudo systemctl kill -s KILL sparkform-qwen")
    started_s = unit.await_phase("recovering", limit_s=20)
    unit.await_phase("serving")
    assert started_s <= 6
    assert unit.read_epoch() == 2


def test_a_rank_that_dies_again_and_again_is_given_up(unit: SupervisedGroup) -> None:
    engine.write_plan(unit.machines, unit.hosts[0], engine.Plan(end="exit"))
    unit.machines.must(unit.hosts[0], "sudo systemctl kill -s KILL sparkform-qwen")
    unit.await_phase("gave-up", limit_s=240)
    state = unit.read_state()
    assert state
    assert state.coordinator
    assert "exit code 3" in state.coordinator.reason
