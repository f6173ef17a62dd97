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
from tests.rack.command_line import Bench
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment, PulumiOutcome
from tests.support.digest import compute_digest, list_changes, plant_file
from tests.support.launching import list_launches
from tests.support.serving import Serving

pytestmark = [pytest.mark.rack, pytest.mark.long]

NAME = "tiny"
QUESTION, ANSWER = tiny_llama.DIALOGUES[0]
DEAD_LIMIT_S = 30.0
ANSWER_BYTES = 50_000
"""Of an answer of 64 tokens, each of which several all-reduces make; questions are less."""


@dataclass(frozen=True)
class Case:
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

    def block(self, image: str | None) -> dict[str, Any]:
        """The service; a rank a node where it is split, else the first node alone."""
        common = {"model": tiny.HANDLE, "maxBatchSize": 4, "maxSeqLen": 256}
        own = {"port": 8000, self.fraction: 0.3}
        placed = {self.split: self.nodes} if self.split else {"nodes": ["spark-1"]}
        found = {"engine": self.engine, "runtime": self.runtime, **common, **own, **placed}
        return {**found, **({"image": image} if image else {})}


CASES = [
    Case("trtllm", "container", 2, "direct"),
    Case("trtllm", "swarm", 2, "direct", "tensorParallel"),
    Case("vllm", "container", 2, "direct"),
    Case("vllm", "container", 2, "direct", "tensorParallel"),
    Case("vllm", "native", 2, "direct", "tensorParallel"),
    Case("trtllm", "container", 3, "switch", "pipelineParallel"),
]


@dataclass
class Served(Serving):
    """A stack with one service of a real engine, or of the stand-in for TensorRT-LLM."""

    case: Case

    def chat(self) -> str | None:
        """The answer's text, None where there is none."""
        message = {"role": "user", "content": QUESTION}
        body = {"model": tiny.HANDLE, "messages": [message], "max_tokens": 64, "temperature": 0}
        url = f"http://{self.rack.rack.nodes[0].address}:8000/v1/chat/completions"
        curl = f"curl -sS -m 20 -H 'Content-Type: application/json' {url} -d @-"
        done = self.rack.ask("spark-1", curl, json.dumps(body))
        answer = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        found: str | None = None
        if "choices" in answer:
            found = answer["choices"][0]["message"]["content"]
        return found

    def up(self, **keys: Any) -> PulumiOutcome:
        """With these keys of the service's block set; it then answers, and nothing is left."""
        self.deployment.services[NAME] |= keys
        done = self.deployment.up()
        assert (self.chat() or "").startswith(self.case.expected)
        assert self.deployment.up().changed == set()
        return done


@pytest.fixture(scope="module", params=CASES, ids=str)
def served(
    request: pytest.FixtureRequest, rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    case: Case = request.param
    if vllm.find_installed() is None:
        pytest.skip("its model is made by `make setup ENGINE=vllm`")
    made = rack(nodes=case.nodes, fabric=case.fabric)
    hub.add(made.rack, tiny.HANDLE, hub.ModelSource(tiny.ensure(print)))
    image = None
    if case.runtime == "native":
        native.install(made.rack)
    else:
        recipe = (
            catalogue.build_trtllm_recipe()
            if case.engine == "trtllm"
            else catalogue.build_vllm_recipe()
        )
        image = registry.publish(made.rack, images.ensure(recipe, print), recipe.reference)
    before = compute_digest(made)
    deployment = Deployment.on(made, tmp_path_factory.mktemp(str(case)))
    deployment.cluster["keepModels"] = False
    deployment.declare_memory()
    deployment.services = {NAME: case.block(image)}
    yield Served(made, deployment, NAME, case.runtime, case.ranks, before, case)
    deployment.destroy()


def test_up_answers_and_a_second_up_changes_nothing(served: Served) -> None:
    started = time.monotonic()
    served.up()
    print(f"{served.case}: two ups took {time.monotonic() - started:.0f} s")


def test_an_answer_crosses_the_interface_that_the_plan_names(served: Served) -> None:
    if served.case.engine != "vllm" or served.ranks == 1:
        pytest.skip("one rank alone, or a stand-in whose ranks are silent once it serves")
    ranks = list_launches(served.rack, **{NAME: served.deployment.services[NAME]})[NAME]
    before = [sent_bytes(served, one.node) for one in ranks]
    assert served.chat() == ANSWER
    for launch, sent in zip(ranks, before, strict=True):
        now = sent_bytes(served, launch.node)
        more = {name: now[name] - sent[name] for name in now}
        print(f"{served.case}: rank {launch.rank} sent {more}")
        named = launch.environment["GLOO_SOCKET_IFNAME"]
        assert more.pop(named) > ANSWER_BYTES
        assert all(bytes_ < ANSWER_BYTES for bytes_ in more.values())


def sent_bytes(served: Served, host: str) -> dict[str, int]:
    """By interface, since it came up."""
    said = served.rack.must(host, "grep . /sys/class/net/*/statistics/tx_bytes")
    rows = (line.split("/", 5) for line in said.splitlines())
    found = {row[4]: int(row[5].rpartition(":")[2]) for row in rows}
    return {name: count for name, count in found.items() if name.startswith("en")}


def test_a_dead_rank_ends_the_answers_and_is_one_up(served: Served) -> None:
    served.kill()
    deadline = time.monotonic() + DEAD_LIMIT_S
    while served.chat() is not None:
        assert time.monotonic() < deadline, "it answers without its last rank"
    assert f"rank {served.last_rank[0]} " in doctor_on(served)
    assert served.has_restarted(served.up())


def doctor_on(served: Served) -> str:
    """What doctor finds wrong with the service, all nodes together."""
    bench = Bench(served.rack, served.deployment.folder)
    checks = bench.run("doctor", served.deployment.stack_file, "--json").json()["checks"]
    wrong = [one for one in checks if one["status"] == "fail" and NAME in one["name"]]
    return "\n".join(one["message"] for one in wrong)


def test_another_memory_fraction_restarts_the_service_only(served: Served) -> None:
    assert served.has_restarted(served.up(**{served.case.fraction: 0.25}))


def test_what_is_gone_and_changed_meanwhile_is_one_up(served: Served) -> None:
    served.remove()
    assert served.has_restarted(served.up(**{served.case.fraction: 0.3}))


def test_drift_that_stops_it_says_so_and_starts_it_again(served: Served) -> None:
    _, host = served.last_rank
    served.forget_runtime(host)
    said = served.deployment.preview().messages
    assert [one for one in said if one.endswith(f"; this stops service {NAME}")]
    assert f"{host}-docker_daemon" in served.up().changed


def test_destroy_gives_the_machines_back(served: Served) -> None:
    with plant_file(served.rack):
        assert list_changes(served.before, compute_digest(served.rack)), "the digest sees nothing"
    served.deployment.destroy()
    assert list_changes(served.before, compute_digest(served.rack)) == []
