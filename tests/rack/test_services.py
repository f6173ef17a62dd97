"""Services from nothing to running and back, in every runtime, with a tiny engine in vLLM's place.

The tests of one shape share a stack that is up; each leaves it up, and the last one destroys it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.rack.conftest import RackFactory
from tests.support import tiny_engine
from tests.support.deployment import Deployment, PulumiOutcome
from tests.support.digest import compute_digest, list_changes, plant_file
from tests.support.serving import Serving
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rack

LONG = [("container", 1), ("container", 2), ("native", 2)]
SHAPES = [("swarm", 2), *(pytest.param(shape, marks=pytest.mark.long) for shape in LONG)]
NAME = "qwen"
ANSWERS_S = 20.0
START = {
    "container": "/var/lib/sparkform/services/qwen/files/start",
    "native": "/var/lib/sparkform/services/qwen/start",
}


@dataclass
class TinyServing(Serving):
    """A rack with a service that is up."""

    def apply(self, **keys: Any) -> PulumiOutcome:
        """With these keys of the service's block set."""
        self.deployment.services[NAME] |= keys
        outcome = self.deployment.preview_and_up()
        wait_until(self.is_answering, "the service does not answer", ANSWERS_S)
        return outcome

    def is_answering(self) -> bool:
        return tiny_engine.request_answer(self.rack, self.head).endswith("200")


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"{shape[0]}-{shape[1]}")
def serving(
    request: pytest.FixtureRequest, rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TinyServing]:
    runtime, count = request.param
    machines = rack(nodes=count, fabric="direct" if count > 1 else "none")
    (tiny_engine.install_native if runtime == "native" else tiny_engine.install)(machines)
    before = compute_digest(machines)
    deployment = Deployment.create(machines, tmp_path_factory.mktemp(runtime))
    deployment.declare_memory()
    deployment.services = {NAME: tiny_engine.build_service(runtime, tensorParallel=count)}
    serving = TinyServing(machines, deployment, NAME, runtime, count, before)
    serving.apply()
    yield serving
    deployment.destroy()


def test_a_second_up_changes_nothing(serving: TinyServing) -> None:
    outcome = serving.deployment.up()
    assert (outcome.changed, outcome.messages) == (set(), [])


def test_a_dead_rank_is_said_and_mended_by_one_up(serving: TinyServing) -> None:
    serving.kill()
    messages = serving.deployment.preview().messages
    rank, host = serving.last_rank
    suffix = " with the rest" if rank else ""
    assert (
        f"service qwen: rank {rank} on {host} has ended, will be started again{suffix}" in messages
    )
    assert serving.has_restarted(serving.apply())
    assert serving.deployment.up().changed == set()


def test_a_service_that_was_removed_by_hand_is_mended_by_one_up(serving: TinyServing) -> None:
    serving.remove()
    assert serving.has_restarted(serving.apply())
    assert serving.deployment.up().changed == set()


def test_a_changed_setting_restarts_the_service_only_and_is_named(serving: TinyServing) -> None:
    outcome = serving.apply(gpuMemoryUtilization=0.4)
    assert "service qwen: --gpu-memory-utilization is 0.3, will be 0.4" in outcome.messages
    assert serving.has_restarted(outcome)
    assert serving.deployment.up().changed == set()


def test_a_setting_that_is_changed_while_the_service_is_gone_is_one_up(
    serving: TinyServing,
) -> None:
    serving.remove()
    assert serving.has_restarted(serving.apply(gpuMemoryUtilization=0.3))
    assert serving.deployment.up().changed == set()


def test_what_a_refresh_misses_is_mended_by_one_up(serving: TinyServing) -> None:
    serving.remove()
    serving.deployment.run_successfully("refresh", "--yes", "--skip-preview")
    assert serving.has_restarted(serving.apply())
    assert serving.deployment.up().changed == set()


def test_drift_that_stops_the_service_says_so_before_it_does(serving: TinyServing) -> None:
    host = serving.last_rank[1]
    serving.forget_runtime(host)
    messages = serving.deployment.preview().messages
    start = f"{host} docker_daemon: default-runtime is unset, will be nvidia"
    assert any(line.startswith(start) for line in messages)
    daemon_lines = [line for line in messages if line.startswith(f"{host} docker_daemon: ")]
    assert [line for line in daemon_lines if line.endswith("; this stops service qwen")]
    outcome = serving.apply()
    assert f"{host}-docker_daemon" in outcome.changed
    assert any("sparkform-qwen" in line and line.endswith(": stopped") for line in outcome.printed)
    assert serving.deployment.up().changed == set()


def test_a_file_of_the_launch_that_was_edited_is_put_right_without_a_restart(
    serving: TinyServing,
) -> None:
    if serving.runtime == "swarm":
        pytest.skip("the Swarm carries the files")
    serving.rack.must(serving.head, f"echo x | sudo tee -a {START[serving.runtime]}")
    outcome = serving.apply()
    assert outcome.changed_steps == {f"{serving.head}-launch_files-qwen"}


def test_no_services_stop_every_engine_and_keep_the_rack(serving: TinyServing) -> None:
    block, serving.deployment.services = serving.deployment.services, {}
    outcome = serving.deployment.up()
    assert not serving.is_answering()
    assert outcome.operations[f"{serving.head}-agent"] == "same"
    assert serving.deployment.up().changed == set()
    serving.deployment.services = block
    serving.apply()


def test_destroy_gives_the_machines_back(serving: TinyServing) -> None:
    with plant_file(serving.rack):
        assert list_changes(serving.before, compute_digest(serving.rack)), "the digest sees nothing"
    serving.deployment.destroy()
    assert list_changes(serving.before, compute_digest(serving.rack)) == []
