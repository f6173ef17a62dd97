"""Two services on one node, a stand-in for a chat model and one for an embedder: started in order,
and a third that does not fit refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.rack.conftest import RackFactory
from tests.support import tiny_engine
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

CHAT, EMBED = "chat", "embed"
STARTED = "sudo docker inspect --format '{{.State.StartedAt}}' sparkform-%s-0"


@dataclass
class SharedNode:
    rack: RackHandle
    deployment: Deployment

    def declare(self, **services: dict[str, Any]) -> None:
        self.deployment.services = {
            name: tiny_engine.build_service(nodes=["spark-1"], **keys)
            for name, keys in services.items()
        }

    def read_start(self, service: str) -> str:
        return self.rack.must("spark-1", STARTED % service).strip()

    def list_statuses(self) -> list[str]:
        return [tiny_engine.request_answer(self.rack, "spark-1", port)[-3:] for port in PORTS]


PORTS = (8000, 8001)
BOTH: dict[str, dict[str, Any]] = {
    CHAT: {"port": PORTS[0], "gpuMemoryUtilization": 0.6},
    EMBED: {"port": PORTS[1], "gpuMemoryUtilization": 0.2},
}


@pytest.fixture(scope="module")
def shared(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedNode]:
    machines = rack(nodes=1, fabric="none")
    tiny_engine.install(machines)
    before = compute_digest(machines)
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("shared"))
    deployment.declare_memory()
    shared = SharedNode(machines, deployment)
    shared.declare(**BOTH)
    deployment.up()
    yield shared
    deployment.destroy()
    assert list_changes(before, compute_digest(machines)) == []


def test_both_answer_and_the_second_began_once_the_first_served(shared: SharedNode) -> None:
    assert shared.list_statuses() == ["200", "200"]
    assert shared.read_start(CHAT) < shared.read_start(EMBED)
    assert shared.deployment.up().changed == set()


def test_a_dead_one_is_mended_beside_the_other(shared: SharedNode) -> None:
    before = shared.read_start(CHAT)
    shared.rack.must("spark-1", f"sudo docker kill sparkform-{EMBED}-0")
    outcome = shared.deployment.up()
    assert all(EMBED in name for name in outcome.changed_steps), outcome.changed_steps
    assert shared.read_start(CHAT) == before
    assert shared.list_statuses() == ["200", "200"]


def test_a_third_that_does_not_fit_is_refused_with_the_numbers(shared: SharedNode) -> None:
    before = [shared.read_start(name) for name in (CHAT, EMBED)]
    shared.declare(**BOTH, third={"port": 8002, "gpuMemoryUtilization": 0.3})
    outcome = shared.deployment.run("up", "--yes", "--skip-preview")
    shared.declare(**BOTH)
    assert outcome.exit_code != 0
    message = "\n".join(outcome.errors)
    assert "shared-memory" in message
    assert "more than 95%" in message
    assert [shared.read_start(name) for name in (CHAT, EMBED)] == before
