"""Another model in a service that runs: one value in the stack file, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sparkrack import hub
from sparkrack.engines import catalogue, loading
from sparkrack.hub import ModelSource
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment, PulumiOutcome
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

FIRST, SECOND, NOWHERE = "acme/first", "acme/second", "acme/nowhere"
MODELS = "/var/lib/sparkform/models/hub"
CONTAINERS = "sudo docker ps -q --no-trunc --filter label=sparkform.service"


@dataclass
class Served:
    """A service of two ranks, which is up with the first model."""

    rack: RackHandle
    deployment: Deployment

    def declare(self, model: str) -> None:
        self.deployment.services["tiny"]["model"] = model

    def serves(self) -> str | None:
        """The name of what answers."""
        url = f"http://{self.rack.rack.nodes[0].address}:8355/v1/models"
        done = self.rack.ask("spark-1", f"curl -sS -m 10 {url}")
        found: str | None = json.loads(done.stdout)["data"][0]["id"] if done.stdout else None
        return found

    def ranks(self) -> list[str]:
        return [self.rack.must(host, CONTAINERS) for host in self.rack.hosts]

    def has(self, handle: str) -> set[str]:
        """The nodes with a folder of that model."""
        place = f"{MODELS}/models--{handle.replace('/', '--')}"
        return {
            one for one in self.rack.hosts if not self.rack.ask(one, f"test -d {place}").returncode
        }


@pytest.fixture(scope="module")
def served(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = rack(nodes=2, fabric="direct")
    loading.load(made.rack, catalogue.build_trtllm_recipe(), print)
    for handle in (FIRST, SECOND):
        hub.add(made.rack, handle, ModelSource(shards=1, shard_mib=8))
    deployment = Deployment.on(made, tmp_path_factory.mktemp("switch"))
    deployment.declare_memory()
    deployment.services = {
        "tiny": {
            "engine": "trtllm",
            "runtime": "container",
            "image": "trtllm-stand-in:1.2.1",
            "model": FIRST,
            "port": 8355,
            "tensorParallel": 2,
            "maxBatchSize": 4,
            "maxSeqLen": 256,
        }
    }
    deployment.up()
    yield Served(made, deployment)
    deployment.destroy()


def of_the_host(done: PulumiOutcome) -> set[str]:
    """Steps that changed and belong to nothing that a model or a service needs."""
    parts = ("model", "offer", "tiny", "hub_client", "transfer_key")
    return {name for name in done.changed_steps if not any(part in name for part in parts)}


def test_the_preview_says_what_comes_and_that_the_service_starts_anew(served: Served) -> None:
    served.declare(SECOND)
    said = served.deployment.preview().messages
    assert f"service tiny: command is {FIRST}, will be {SECOND}" in said
    assert f"spark-1 model:acme--second: {SECOND} is missing, will be downloaded" in said
    copied = f"spark-2 model:acme--second: {SECOND} is missing, will be copied from spark-1"
    assert copied in said
    assert served.serves() == FIRST, "a preview changes nothing"


def test_one_up_switches_and_the_old_model_stays_on_disk(served: Served) -> None:
    done = served.deployment.up()
    assert of_the_host(done) == set()
    assert served.serves() == SECOND
    assert served.has(FIRST) == served.has(SECOND) == set(served.rack.hosts)
    assert served.deployment.up().changed == set()


def test_a_model_that_cannot_be_fetched_leaves_the_old_service_running(served: Served) -> None:
    before = served.ranks()
    served.declare(NOWHERE)
    failed = served.deployment.run("up", "--yes", "--skip-preview")
    assert failed.exit_code != 0
    assert NOWHERE in "\n".join(failed.errors)
    assert (served.ranks(), served.serves()) == (before, SECOND)
    served.declare(SECOND)
    served.deployment.up()
    assert (served.ranks(), served.serves()) == (before, SECOND)
    assert served.deployment.up().changed == set()


def test_a_model_that_does_not_start_is_said_and_the_old_value_brings_the_old_service_back(
    served: Served,
) -> None:
    served.rack.break_("engine", "spark-1", "missing-kernel")
    served.declare(FIRST)
    failed = served.deployment.run("up", "--yes", "--skip-preview")
    assert failed.exit_code != 0
    assert "[no-sm120-experts, rule trt-moe-backend]" in "\n".join(failed.errors)
    assert served.ranks() == ["", ""], "nothing half-started stays"
    served.rack.mend("engine", "spark-1")
    served.declare(SECOND)
    served.deployment.up()
    assert served.serves() == SECOND
    assert served.deployment.up().changed == set()


def test_without_keep_models_the_old_one_goes_with_the_switch(served: Served) -> None:
    served.deployment.cluster["keepModels"] = False
    served.deployment.up()
    served.declare(FIRST)
    served.deployment.up()
    assert served.serves() == FIRST
    assert served.has(SECOND) == set()
    assert served.has(FIRST) == set(served.rack.hosts)
    assert served.deployment.up().changed == set()
