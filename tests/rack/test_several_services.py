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
class Served:
    """`wide` has a rank on each of two nodes, `small` one on the third."""

    rack: RackHandle
    deployment: Deployment

    def declare(self, **nodes: list[str]) -> None:
        """Which services there are, and where."""
        self.deployment.services = {
            name: tiny_engine.build_service(nodes=hosts, tensorParallel=len(hosts))
            for name, hosts in nodes.items()
        }

    def running(self) -> dict[str, str]:
        """Container id by its name and node."""
        return {
            f"{host} {name}": identity
            for host in self.rack.hosts
            for name, identity in map(str.split, self.rack.must(host, CONTAINERS).splitlines())
        }

    def answering(self) -> set[str]:
        return {
            one
            for one in self.rack.hosts
            if tiny_engine.request_answer(self.rack, one)[-3:] == "200"
        }


@pytest.fixture(scope="module")
def served(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = rack(nodes=3, fabric="switch")
    tiny_engine.install(made)
    before = compute_digest(made)
    deployment = Deployment.on(made, tmp_path_factory.mktemp("several"))
    deployment.cluster["swarm"] = {"enabled": False}
    deployment.declare_memory()
    one = Served(made, deployment)
    one.declare(wide=["spark-1", "spark-2"], small=["spark-3"])
    deployment.up()
    yield one
    deployment.destroy()
    assert list_changes(before, compute_digest(made)) == []


def test_both_answer_and_a_second_up_changes_nothing(served: Served) -> None:
    assert served.answering() == {"spark-1", "spark-3"}
    assert served.deployment.up().changed == set()


def test_a_dead_rank_of_one_is_mended_without_the_other(served: Served) -> None:
    before = served.running()
    served.rack.must("spark-2", "sudo docker kill sparkform-wide-1")
    done = served.deployment.up()
    after = served.running()
    assert all(WIDE in name for name in done.changed_steps), done.changed_steps
    assert after["spark-3 sparkform-small-0"] == before["spark-3 sparkform-small-0"]
    assert after["spark-1 sparkform-wide-0"] != before["spark-1 sparkform-wide-0"]
    assert served.answering() == {"spark-1", "spark-3"}


def test_one_that_leaves_the_file_goes_alone(served: Served) -> None:
    before = served.running()
    served.declare(wide=["spark-1", "spark-2"])
    served.deployment.up()
    del before["spark-3 sparkform-small-0"]
    assert served.running() == before
    assert served.answering() == {"spark-1"}


def test_one_that_comes_leaves_the_other_alone(served: Served) -> None:
    before = served.running()
    served.declare(wide=["spark-1", "spark-2"], small=["spark-3"])
    done = served.deployment.up()
    # With the first rank on a node comes what reaches its Docker.
    assert {name for name in done.changed_steps if SMALL not in name} == {"spark-3-docker"}
    assert before.items() <= served.running().items()
    assert served.answering() == {"spark-1", "spark-3"}


def test_services_that_change_places_are_one_up(served: Served) -> None:
    served.declare(small=["spark-1"], wide=["spark-2", "spark-3"])
    served.deployment.up()
    assert set(served.running()) == {
        "spark-1 sparkform-small-0",
        "spark-2 sparkform-wide-0",
        "spark-3 sparkform-wide-1",
    }
    assert served.answering() == {"spark-1", "spark-2"}
    assert served.deployment.up().changed == set()


def test_two_on_one_node_are_refused_before_anything_is_touched(served: Served) -> None:
    before, declared = served.running(), dict(served.deployment.services)
    served.declare(small=["spark-2"], wide=["spark-2", "spark-3"])
    done = served.deployment.run("up", "--yes", "--skip-preview")
    served.deployment.services = declared
    assert done.exit_code != 0
    assert "spark-2" in "\n".join(done.errors)
    assert served.running() == before
