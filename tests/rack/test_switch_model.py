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
class SwitchedService:
    """A service of two ranks, which is up with the first model."""

    rack: RackHandle
    deployment: Deployment

    def declare(self, model: str) -> None:
        self.deployment.services["tiny"]["model"] = model

    def read_served_name(self) -> str | None:
        """The name of what answers."""
        url = f"http://{self.rack.rack.nodes[0].address}:8355/v1/models"
        result = self.rack.ask("spark-1", f"curl -sS -m 10 {url}")
        name: str | None = json.loads(result.stdout)["data"][0]["id"] if result.stdout else None
        return name

    def list_ranks(self) -> list[str]:
        return [self.rack.must(host, CONTAINERS) for host in self.rack.hosts]

    def find_holders(self, handle: str) -> set[str]:
        """The nodes with a folder of that model."""
        folder = f"{MODELS}/models--{handle.replace('/', '--')}"
        return {
            host
            for host in self.rack.hosts
            if not self.rack.ask(host, f"test -d {folder}").returncode
        }


@pytest.fixture(scope="module")
def service(
    rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SwitchedService]:
    machines = rack(nodes=2, fabric="direct")
    loading.load(machines.rack, catalogue.build_trtllm_recipe(), print)
    for handle in (FIRST, SECOND):
        hub.add(machines.rack, handle, ModelSource(shards=1, shard_mib=8))
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("switch"))
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
    yield SwitchedService(machines, deployment)
    deployment.destroy()


def list_host_steps(outcome: PulumiOutcome) -> set[str]:
    """Steps that changed and belong to nothing that a model or a service needs."""
    parts = ("model", "offer", "tiny", "hub_client", "transfer_key")
    return {name for name in outcome.changed_steps if not any(part in name for part in parts)}


def test_the_preview_says_what_comes_and_that_the_service_starts_anew(
    service: SwitchedService,
) -> None:
    service.declare(SECOND)
    messages = service.deployment.preview().messages
    assert f"service tiny: command is {FIRST}, will be {SECOND}" in messages
    assert f"spark-1 model:acme--second: {SECOND} is missing, will be downloaded" in messages
    copied = f"spark-2 model:acme--second: {SECOND} is missing, will be copied from spark-1"
    assert copied in messages
    assert service.read_served_name() == FIRST, "a preview changes nothing"


def test_one_up_switches_and_the_old_model_stays_on_disk(service: SwitchedService) -> None:
    outcome = service.deployment.up()
    assert list_host_steps(outcome) == set()
    assert service.read_served_name() == SECOND
    assert service.find_holders(FIRST) == service.find_holders(SECOND) == set(service.rack.hosts)
    assert service.deployment.up().changed == set()


def test_a_model_that_cannot_be_fetched_leaves_the_old_service_running(
    service: SwitchedService,
) -> None:
    before = service.list_ranks()
    service.declare(NOWHERE)
    failed = service.deployment.run("up", "--yes", "--skip-preview")
    assert failed.exit_code != 0
    assert NOWHERE in "\n".join(failed.errors)
    assert (service.list_ranks(), service.read_served_name()) == (before, SECOND)
    service.declare(SECOND)
    service.deployment.up()
    assert (service.list_ranks(), service.read_served_name()) == (before, SECOND)
    assert service.deployment.up().changed == set()


def test_a_model_that_does_not_start_is_said_and_the_old_value_brings_the_old_service_back(
    service: SwitchedService,
) -> None:
    service.rack.break_("engine", "spark-1", "missing-kernel")
    service.declare(FIRST)
    failed = service.deployment.run("up", "--yes", "--skip-preview")
    assert failed.exit_code != 0
    assert "[no-sm120-experts, rule trt-moe-backend]" in "\n".join(failed.errors)
    assert service.list_ranks() == ["", ""], "nothing half-started stays"
    service.rack.mend("engine", "spark-1")
    service.declare(SECOND)
    service.deployment.up()
    assert service.read_served_name() == SECOND
    assert service.deployment.up().changed == set()


def test_without_keep_models_the_old_one_goes_with_the_switch(service: SwitchedService) -> None:
    service.deployment.cluster["keepModels"] = False
    service.deployment.up()
    service.declare(FIRST)
    service.deployment.up()
    assert service.read_served_name() == FIRST
    assert service.find_holders(SECOND) == set()
    assert service.find_holders(FIRST) == set(service.rack.hosts)
    assert service.deployment.up().changed == set()
