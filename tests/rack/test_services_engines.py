"""Each engine in each runtime under Pulumi, from nothing to running and back.

The tests of one case share a stack that is up; each leaves it up, and the last one destroys it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sparkrack import hub, registry
from sparkrack.engines import catalogue, images, native, tiny, tiny_llama, vllm
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment, PulumiOutcome
from tests.support.digest import compute_digest, list_changes, plant_file
from tests.support.launching import list_launches
from tests.support.serving import Serving
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.rack, pytest.mark.long]

NAME = "tiny"
QUESTION, ANSWER = tiny_llama.DIALOGUES[0]
DEAD_LIMIT_S, BACK_LIMIT_S = 30.0, 240.0
ANSWER_BYTES = 50_000
"""Of an answer of 64 tokens, each of which several all-reduces make; questions are less."""


@dataclass(frozen=True)
class EngineCase:
    """One row of the table of engines, runtimes and racks."""

    engine: str
    runtime: str
    nodes: int
    fabric: str
    split: str | None = None

    @property
    def ranks(self) -> int:
        return self.nodes if self.split else 1

    def __str__(self) -> str:
        return f"{self.engine}-{self.runtime}-{self.ranks}-{self.fabric}"

    @property
    def fraction(self) -> str:
        return "gpuMemoryUtilization" if self.engine == "vllm" else "freeGpuMemoryFraction"

    @property
    def expected(self) -> str:
        return ANSWER if self.engine == "vllm" else "I am the TensorRT-LLM stand-in"

    def build_block(self, image: str | None) -> dict[str, Any]:
        """The service; a rank a node where it is split, else the first node alone."""
        common = {"model": tiny.HANDLE, "maxBatchSize": 4, "maxSeqLen": 256}
        settings = {"port": 8000, self.fraction: 0.3}
        placement = {self.split: self.nodes} if self.split else {"nodes": ["spark-1"]}
        block = {"engine": self.engine, "runtime": self.runtime, **common, **settings, **placement}
        return {**block, **({"image": image} if image else {})}


CASES = [
    EngineCase("trtllm", "container", 2, "direct"),
    EngineCase("trtllm", "swarm", 2, "direct", "tensorParallel"),
    EngineCase("vllm", "container", 2, "direct"),
    EngineCase("vllm", "container", 2, "direct", "tensorParallel"),
    EngineCase("vllm", "native", 2, "direct", "tensorParallel"),
    EngineCase("trtllm", "container", 3, "switch", "pipelineParallel"),
]


@dataclass
class EngineServing(Serving):
    """A stack with one service of a real engine, or of the stand-in for TensorRT-LLM."""

    case: EngineCase

    def request_chat(self) -> str | None:
        """The answer's text, None where there is none."""
        message = {"role": "user", "content": QUESTION}
        body = {"model": tiny.HANDLE, "messages": [message], "max_tokens": 64, "temperature": 0}
        url = f"http://{self.rack.rack.nodes[0].address}:8000/v1/chat/completions"
        curl = f"curl -sS -m 20 -H 'Content-Type: application/json' {url} -d @-"
        result = self.rack.ask("spark-1", curl, json.dumps(body))
        answer = json.loads(result.stdout) if result.stdout.startswith("{") else {}
        text: str | None = None
        if "choices" in answer:
            text = answer["choices"][0]["message"]["content"]
        return text

    def apply(self, **keys: Any) -> PulumiOutcome:
        """With these keys of the service's block set; it then answers, and nothing is left."""
        self.deployment.services[NAME] |= keys
        outcome = self.deployment.up()
        assert (self.request_chat() or "").startswith(self.case.expected)
        assert self.deployment.up().changed == set()
        return outcome


@pytest.fixture(scope="module", params=CASES, ids=str)
def serving(
    request: pytest.FixtureRequest, rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineServing]:
    case: EngineCase = request.param
    if vllm.find_installed() is None:
        pytest.skip("its model is made by `make setup ENGINE=vllm`")
    machines = rack(nodes=case.nodes, fabric=case.fabric)
    hub.add(machines.rack, tiny.HANDLE, hub.ModelSource(tiny.ensure(print)))
    image = None
    if case.runtime == "native":
        native.install(machines.rack)
    else:
        recipe = (
            catalogue.build_trtllm_recipe()
            if case.engine == "trtllm"
            else catalogue.build_vllm_recipe()
        )
        image = registry.publish(machines.rack, images.ensure(recipe, print), recipe.reference)
    before = compute_digest(machines)
    deployment = Deployment.create(machines, tmp_path_factory.mktemp(str(case)))
    deployment.cluster["keepModels"] = False
    deployment.declare_memory()
    deployment.services = {NAME: case.build_block(image)}
    yield EngineServing(machines, deployment, NAME, case.runtime, case.ranks, before, case)
    deployment.destroy()


def test_up_answers_and_a_second_up_changes_nothing(serving: EngineServing) -> None:
    started = time.monotonic()
    serving.apply()
    print(f"{serving.case}: two ups took {time.monotonic() - started:.0f} s")


def test_an_answer_crosses_the_interface_that_the_plan_names(serving: EngineServing) -> None:
    if serving.case.engine != "vllm" or serving.ranks == 1:
        pytest.skip("one rank alone, or a stand-in whose ranks are silent once it serves")
    ranks = list_launches(serving.rack, **{NAME: serving.deployment.services[NAME]})[NAME]
    before = [read_sent_bytes(serving, launch.node) for launch in ranks]
    assert serving.request_chat() == ANSWER
    for launch, sent in zip(ranks, before, strict=True):
        now = read_sent_bytes(serving, launch.node)
        more = {name: now[name] - sent[name] for name in now}
        print(f"{serving.case}: rank {launch.rank} sent {more}")
        interface = launch.environment["GLOO_SOCKET_IFNAME"]
        assert more.pop(interface) > ANSWER_BYTES
        assert all(bytes_ < ANSWER_BYTES for bytes_ in more.values())


def read_sent_bytes(serving: EngineServing, host: str) -> dict[str, int]:
    """By interface, since it came up."""
    listing = serving.rack.must(host, "grep . /sys/class/net/*/statistics/tx_bytes")
    rows = (line.split("/", 5) for line in listing.splitlines())
    counts = {row[4]: int(row[5].rpartition(":")[2]) for row in rows}
    return {name: count for name, count in counts.items() if name.startswith("en")}


def test_a_dead_rank_comes_back_with_its_group_and_up_has_nothing_to_do(
    serving: EngineServing,
) -> None:
    serving.kill()
    started = time.monotonic()
    wait_until(
        lambda: serving.request_chat() is None, "it answers without its last rank", DEAD_LIMIT_S
    )
    wait_until(
        lambda: (serving.request_chat() or "").startswith(serving.case.expected),
        "it does not come back",
        BACK_LIMIT_S,
    )
    print(f"{serving.case}: answers again {time.monotonic() - started:.0f} s after the kill")
    assert serving.deployment.up().changed == set()


def test_another_memory_fraction_restarts_the_service_only(serving: EngineServing) -> None:
    assert serving.has_restarted(serving.apply(**{serving.case.fraction: 0.25}))


def test_what_is_gone_and_changed_meanwhile_is_one_up(serving: EngineServing) -> None:
    serving.remove()
    assert serving.has_restarted(serving.apply(**{serving.case.fraction: 0.3}))


def test_drift_that_stops_it_says_so_and_starts_it_again(serving: EngineServing) -> None:
    _, host = serving.last_rank
    serving.forget_runtime(host)
    messages = serving.deployment.preview().messages
    assert [line for line in messages if line.endswith(f"; this stops service {NAME}")]
    assert f"{host}-docker_daemon" in serving.apply().changed


def test_destroy_gives_the_machines_back(serving: EngineServing) -> None:
    with plant_file(serving.rack):
        assert list_changes(serving.before, compute_digest(serving.rack)), "the digest sees nothing"
    serving.deployment.destroy()
    assert list_changes(serving.before, compute_digest(serving.rack)) == []
