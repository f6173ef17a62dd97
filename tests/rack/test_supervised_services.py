"""A service on two nodes that keeps itself serving: killed ranks, reboots, `up` and `destroy`.

The tests of one runtime share a stack that is up; each leaves it up, and the last one destroys it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.ranks.supervisors import get_boot_link, get_supervisor_unit
from tests.rack.command_line import RackProject
from tests.rack.conftest import RackFactory
from tests.support import tiny_engine
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.rack import RackHandle
from tests.support.serving import Serving
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.rack, pytest.mark.long]

NAME = "qwen"
RUNTIMES = ("container", "native", "swarm")
SEEN_S = 6.0
"""From the kill of a rank to the start of the recovery, at most."""

SERVES_S = 180.0
BOOT_S = 240.0
STATE = f"/var/lib/sparkform/supervision/{NAME}/state.json"
UNIT = get_supervisor_unit(NAME)


@dataclass
class SupervisedService(Serving):
    """A rack with a service that is up and supervised."""

    def is_answering(self) -> bool:
        return tiny_engine.request_answer(self.rack, self.head).endswith("200")

    def read_state(self) -> dict[str, Any]:
        """What rank 0's supervisor has on its disk."""
        state: dict[str, Any] = json.loads(self.rack.must(self.head, f"sudo cat {STATE}"))
        return state

    @property
    def epoch(self) -> int:
        return int(self.read_state()["member"]["epoch"])

    @property
    def phase(self) -> str:
        record = self.read_state()["coordinator"]
        return str(record["phase"]) if record else "not yet known"

    @property
    def token(self) -> str:
        return str(self.read_state()["token"])

    def await_phase(self, *phases: str, limit_s: float = SERVES_S) -> None:
        wait_until(lambda: self.phase in phases, f"{NAME} does not come to {phases}", limit_s)

    def await_epoch(self, epoch: int, limit_s: float = SEEN_S) -> None:
        wait_until(lambda: self.epoch >= epoch, f"no epoch {epoch}", limit_s)

    def await_answers(self, limit_s: float = SERVES_S) -> None:
        wait_until(self.is_answering, "the service does not answer", limit_s)
        self.await_phase("serving")

    def is_supervised_on(self, host: str) -> bool:
        return self.rack.ask(host, f"systemctl is-active --quiet {UNIT}").returncode == 0


def start_service(machines: RackHandle, runtime: str, folder: Path) -> SupervisedService:
    """The tiny engine on two nodes; it answers when this returns."""
    (tiny_engine.install_native if runtime == "native" else tiny_engine.install)(machines)
    before = compute_digest(machines)
    deployment = Deployment.create(machines, folder)
    deployment.declare_memory()
    block = tiny_engine.build_service(runtime, tensorParallel=2, restartPolicy="group")
    deployment.services = {NAME: block}
    service = SupervisedService(machines, deployment, NAME, runtime, 2, before)
    deployment.up()
    service.await_answers()
    return service


@pytest.fixture(scope="module", params=RUNTIMES)
def supervised(
    request: pytest.FixtureRequest, rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SupervisedService]:
    folder = tmp_path_factory.mktemp(request.param)
    service = start_service(rack(nodes=2, fabric="direct"), request.param, folder)
    yield service
    service.deployment.destroy()


def test_a_service_that_is_up_is_supervised_on_each_node_and_a_second_up_changes_nothing(
    supervised: SupervisedService,
) -> None:
    for host in supervised.rack.hosts:
        assert supervised.is_supervised_on(host)
        supervised.rack.must(host, f"test -L {get_boot_link(NAME)}")
    outcome = supervised.deployment.up()
    assert (outcome.changed, outcome.messages) == (set(), [])


def test_a_killed_rank_comes_back_under_its_run_and_up_has_nothing_to_do(
    supervised: SupervisedService,
) -> None:
    token, epoch = supervised.token, supervised.epoch
    supervised.kill()
    supervised.await_epoch(epoch + 1)
    supervised.await_answers()
    assert (supervised.token, supervised.epoch) == (token, epoch + 1)
    outcome = supervised.deployment.up()
    assert (outcome.changed, outcome.messages) == (set(), [])


def test_an_up_in_the_middle_of_a_recovery_changes_nothing_and_says_so(
    supervised: SupervisedService,
) -> None:
    epoch = supervised.epoch
    supervised.kill()
    outcome = supervised.deployment.up()
    assert outcome.changed == set()
    for line in outcome.messages:
        assert line.endswith("nothing of it is changed")
    supervised.await_epoch(epoch + 1)
    supervised.await_answers()
    assert supervised.deployment.up().changed == set()


def test_a_refresh_in_the_middle_of_a_recovery_starts_no_rank_alone(
    supervised: SupervisedService,
) -> None:
    epoch = supervised.epoch
    supervised.kill()
    supervised.deployment.run_successfully("refresh", "--yes", "--skip-preview")
    supervised.await_epoch(epoch + 1)
    supervised.await_answers()
    assert supervised.deployment.up().changed == set()
    assert supervised.epoch == epoch + 1


def test_a_restart_is_asked_for_and_counts_as_no_failure(
    supervised: SupervisedService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    token, epoch = supervised.token, supervised.epoch
    project = RackProject(supervised.rack, supervised.deployment.folder)
    ran = project.run("restart", supervised.deployment.stack_file, NAME)
    assert ran.out == f"{supervised.head} service {NAME}: will be restarted\n", ran.err
    supervised.await_epoch(epoch + 1, limit_s=15)
    supervised.await_answers()
    assert supervised.token == token
    # Failures of before are forgotten with it: somebody has looked.
    assert supervised.read_state()["coordinator"]["restarts"]["number"] == 0
    assert supervised.deployment.up().changed == set()


def test_after_a_reboot_of_all_nodes_the_service_serves_without_a_hand(
    supervised: SupervisedService,
) -> None:
    token = supervised.token
    for host in supervised.rack.hosts:
        supervised.rack.break_("reboot", host)
    for host in supervised.rack.hosts:
        supervised.rack.mend("reboot", host)
    started_s = time.monotonic()
    supervised.await_answers(BOOT_S)
    print(f"{supervised.runtime}: serves {time.monotonic() - started_s:.0f} s after the boot")
    assert supervised.token == token
    assert supervised.deployment.up().changed == set()


def test_a_killed_supervisor_is_said_and_started_again_without_the_service(
    supervised: SupervisedService,
) -> None:
    host, token = supervised.rack.hosts[1], supervised.token
    supervised.rack.must(host, f"sudo systemctl stop {UNIT}")
    project = RackProject(supervised.rack, supervised.deployment.folder)
    report = project.run("doctor", supervised.deployment.stack_file, "--json").parse_json()
    rows = {(row["node"], row["name"]): row for row in report["checks"]}
    row = rows[host, f"supervision {NAME}"]
    assert (row["status"], row["message"][:12]) == ("fail", "unsupervised")
    outcome = supervised.deployment.preview_and_up()
    assert outcome.differences == [
        f"{host} supervise:{NAME}: service {NAME} is not supervised, will be"
    ]
    assert outcome.changed_steps == {f"{host}-supervise-{NAME}"}
    assert (supervised.is_supervised_on(host), supervised.token) == (True, token)


def test_what_is_gone_is_made_anew_by_up(supervised: SupervisedService) -> None:
    token = supervised.token
    supervised.remove()
    supervised.await_phase("needs-up", limit_s=30)
    supervised.deployment.up()
    supervised.await_answers()
    assert supervised.token != token
    assert supervised.deployment.up().changed == set()


def test_a_changed_setting_restarts_the_service_and_its_supervisors(
    supervised: SupervisedService,
) -> None:
    token = supervised.token
    supervised.deployment.services[NAME]["gpuMemoryUtilization"] = 0.4
    supervised.deployment.up()
    supervised.await_answers()
    assert supervised.token != token
    assert supervised.epoch == 1
    assert supervised.deployment.up().changed == set()


def test_destroy_in_the_middle_of_a_recovery_leaves_nothing_that_comes_back(
    supervised: SupervisedService,
) -> None:
    supervised.kill()
    supervised.deployment.destroy()
    assert list_changes(supervised.before, compute_digest(supervised.rack)) == []
    for host in supervised.rack.hosts:
        supervised.rack.must(host, "sudo docker ps -aq --filter label=sparkform.service | wc -l")
        assert not supervised.is_supervised_on(host)
    time.sleep(10)
    assert list_changes(supervised.before, compute_digest(supervised.rack)) == []
