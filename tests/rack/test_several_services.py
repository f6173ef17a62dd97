"""Two services on three nodes: each comes, goes, dies and moves without the other noticing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.rack.conftest import RackFactory
from tests.support import tiny_engine
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

WIDE, SMALL = "wide", "small"
CONTAINERS = (
    "sudo docker ps --no-trunc --format '{{.Names}} {{.ID}}' --filter label=sparkform.service"
)


@dataclass
class TwoServices:
    """`wide` has a rank on each of two nodes, `small` one on the third."""

    rack: RackHandle
    deployment: Deployment

    def declare(self, **nodes: list[str]) -> None:
        """Which services there are, and where."""
        self.deployment.services = {
            name: tiny_engine.build_service(nodes=hosts, tensorParallel=len(hosts))
            for name, hosts in nodes.items()
        }

    def list_running(self) -> dict[str, str]:
        """Container id by its name and node."""
        return {
            f"{host} {name}": identity
            for host in self.rack.hosts
            for name, identity in map(str.split, self.rack.must(host, CONTAINERS).splitlines())
        }

    def list_answering(self) -> set[str]:
        return {
            host
            for host in self.rack.hosts
            if tiny_engine.request_answer(self.rack, host)[-3:] == "200"
        }


@pytest.fixture(scope="module")
def services(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoServices]:
    machines = rack(nodes=3, fabric="switch")
    tiny_engine.install(machines)
    before = compute_digest(machines)
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("several"))
    deployment.cluster["swarm"] = {"enabled": False}
    deployment.declare_memory()
    services = TwoServices(machines, deployment)
    services.declare(wide=["spark-1", "spark-2"], small=["spark-3"])
    deployment.up()
    yield services
    deployment.destroy()
    assert list_changes(before, compute_digest(machines)) == []


def test_both_answer_and_a_second_up_changes_nothing(services: TwoServices) -> None:
    assert services.list_answering() == {"spark-1", "spark-3"}
    assert services.deployment.up().changed == set()


def test_a_dead_rank_of_one_is_mended_without_the_other(services: TwoServices) -> None:
    before = services.list_running()
    services.rack.must("spark-2", "sudo docker kill sparkform-wide-1")
    outcome = services.deployment.up()
    after = services.list_running()
    assert all(WIDE in name for name in outcome.changed_steps), outcome.changed_steps
    assert after["spark-3 sparkform-small-0"] == before["spark-3 sparkform-small-0"]
    assert after["spark-1 sparkform-wide-0"] != before["spark-1 sparkform-wide-0"]
    assert services.list_answering() == {"spark-1", "spark-3"}


def test_one_that_leaves_the_file_goes_alone(services: TwoServices) -> None:
    before = services.list_running()
    services.declare(wide=["spark-1", "spark-2"])
    services.deployment.up()
    del before["spark-3 sparkform-small-0"]
    assert services.list_running() == before
    assert services.list_answering() == {"spark-1"}


def test_one_that_comes_leaves_the_other_alone(services: TwoServices) -> None:
    before = services.list_running()
    services.declare(wide=["spark-1", "spark-2"], small=["spark-3"])
    outcome = services.deployment.up()
    # With the first rank on a node comes what reaches its Docker.
    assert {name for name in outcome.changed_steps if SMALL not in name} == {"spark-3-docker"}
    assert before.items() <= services.list_running().items()
    assert services.list_answering() == {"spark-1", "spark-3"}


def test_services_that_change_places_are_one_up(services: TwoServices) -> None:
    services.declare(small=["spark-1"], wide=["spark-2", "spark-3"])
    services.deployment.up()
    assert set(services.list_running()) == {
        "spark-1 sparkform-small-0",
        "spark-2 sparkform-wide-0",
        "spark-3 sparkform-wide-1",
    }
    assert services.list_answering() == {"spark-1", "spark-2"}
    assert services.deployment.up().changed == set()


def test_two_on_one_node_are_refused_before_anything_is_touched(services: TwoServices) -> None:
    before, declared = services.list_running(), dict(services.deployment.services)
    services.declare(small=["spark-2"], wide=["spark-2", "spark-3"])
    outcome = services.deployment.run("up", "--yes", "--skip-preview")
    services.deployment.services = declared
    assert outcome.exit_code != 0
    assert "spark-2" in "\n".join(outcome.errors)
    assert services.list_running() == before
