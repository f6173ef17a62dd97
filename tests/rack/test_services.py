"""Services from nothing to running and back, in every runtime, with a tiny engine in vLLM's place.

The tests of one shape share a stack that is up; each leaves it up, and the last one destroys it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.rack.conftest import RackFactory
from tests.support import tiny_engine
from tests.support.deployment import Deployment, PulumiOutcome
from tests.support.digest import compute_digest, list_changes, plant_file
from tests.support.serving import Serving

pytestmark = pytest.mark.rack

LONG = [("container", 1), ("container", 2), ("native", 2)]
SHAPES = [("swarm", 2), *(pytest.param(one, marks=pytest.mark.long) for one in LONG)]
NAME = "qwen"
ANSWERS_S = 20.0
START = {
    "container": "/var/lib/sparkform/services/qwen/files/start",
    "native": "/var/lib/sparkform/services/qwen/start",
}


@dataclass
class Served(Serving):
    """A rack with a service that is up."""

    def up(self, **keys: Any) -> PulumiOutcome:
        """With these keys of the service's block set."""
        self.deployment.services[NAME] |= keys
        done = self.deployment.up()
        assert self.answers()
        return done

    def answers(self) -> bool:
        deadline = time.monotonic() + ANSWERS_S
        while not self.answers_now():
            if time.monotonic() > deadline:
                return False
            time.sleep(1)
        return True

    def answers_now(self) -> bool:
        return tiny_engine.request_answer(self.rack, self.head).endswith("200")


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"{shape[0]}-{shape[1]}")
def served(
    request: pytest.FixtureRequest, rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    runtime, count = request.param
    made = rack(nodes=count, fabric="direct" if count > 1 else "none")
    (tiny_engine.install_native if runtime == "native" else tiny_engine.install)(made)
    before = compute_digest(made)
    deployment = Deployment.on(made, tmp_path_factory.mktemp(runtime))
    deployment.declare_memory()
    deployment.services = {NAME: tiny_engine.build_service(runtime, tensorParallel=count)}
    one = Served(made, deployment, NAME, runtime, count, before)
    one.up()
    yield one
    deployment.destroy()


def test_a_second_up_changes_nothing(served: Served) -> None:
    done = served.deployment.up()
    assert (done.changed, done.messages) == (set(), [])


def test_a_dead_rank_is_said_and_mended_by_one_up(served: Served) -> None:
    served.kill()
    said = served.deployment.preview().messages
    rank, host = served.last_rank
    rest = " with the rest" if rank else ""
    assert f"service qwen: rank {rank} on {host} has ended, will be started again{rest}" in said
    assert served.has_restarted(served.up())
    assert served.deployment.up().changed == set()


def test_a_service_that_was_removed_by_hand_is_mended_by_one_up(served: Served) -> None:
    served.remove()
    assert served.has_restarted(served.up())
    assert served.deployment.up().changed == set()


def test_a_changed_setting_restarts_the_service_only_and_is_named(served: Served) -> None:
    done = served.up(gpuMemoryUtilization=0.4)
    assert "service qwen: --gpu-memory-utilization is 0.3, will be 0.4" in done.messages
    assert served.has_restarted(done)
    assert served.deployment.up().changed == set()


def test_a_setting_that_is_changed_while_the_service_is_gone_is_one_up(served: Served) -> None:
    served.remove()
    assert served.has_restarted(served.up(gpuMemoryUtilization=0.3))
    assert served.deployment.up().changed == set()


def test_what_a_refresh_misses_is_mended_by_one_up(served: Served) -> None:
    served.remove()
    served.deployment.run_successfully("refresh", "--yes", "--skip-preview")
    assert served.has_restarted(served.up())
    assert served.deployment.up().changed == set()


def test_drift_that_stops_the_service_says_so_before_it_does(served: Served) -> None:
    host = served.last_rank[1]
    served.forget_runtime(host)
    said = served.deployment.preview().messages
    words = f"{host} docker_daemon: default-runtime is unset, will be nvidia"
    assert any(line.startswith(words) for line in said)
    own = [line for line in said if line.startswith(f"{host} docker_daemon: ")]
    assert [line for line in own if line.endswith("; this stops service qwen")]
    done = served.up()
    assert f"{host}-docker_daemon" in done.changed
    assert any("sparkform-qwen" in one and one.endswith(": stopped") for one in done.printed)
    assert served.deployment.up().changed == set()


def test_a_file_of_the_launch_that_was_edited_is_put_right_without_a_restart(
    served: Served,
) -> None:
    if served.runtime == "swarm":
        pytest.skip("the Swarm carries the files")
    served.rack.must(served.head, f"echo x | sudo tee -a {START[served.runtime]}")
    done = served.up()
    assert done.changed_steps == {f"{served.head}-launch_files-qwen"}


def test_no_services_stop_every_engine_and_keep_the_rack(served: Served) -> None:
    block, served.deployment.services = served.deployment.services, {}
    done = served.deployment.up()
    assert not served.answers_now()
    assert done.operations[f"{served.head}-agent"] == "same"
    assert served.deployment.up().changed == set()
    served.deployment.services = block
    served.up()


def test_destroy_gives_the_machines_back(served: Served) -> None:
    with plant_file(served.rack):
        assert list_changes(served.before, compute_digest(served.rack)), "the digest sees nothing"
    served.deployment.destroy()
    assert list_changes(served.before, compute_digest(served.rack)) == []
