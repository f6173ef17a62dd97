"""Each engine in each runtime under Pulumi: up answers, and a dead rank is one plain up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rack import hub, registry
from rack.engines import catalogue, images, native, tiny, tiny_llama, vllm
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

NAME = "tiny"
QUESTION, ANSWER = tiny_llama.DIALOGUES[0]
DEAD_LIMIT_S = 30.0


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

    def block(self, image: str | None) -> dict[str, Any]:
        """The service; a rank a node where it is split, else the first node alone."""
        common = {"model": tiny.HANDLE, "maxBatchSize": 4, "maxSeqLen": 256}
        own = {"port": 8000, "gpuMemoryUtilization": 0.3} if self.engine == "vllm" else {}
        placed = {self.split: self.nodes} if self.split else {"nodes": ["spark-1"]}
        found = {"engine": self.engine, "runtime": self.runtime, **common, **own, **placed}
        return {**found, "port": 8000, **({"image": image} if image else {})}


CASES = [
    Case("trtllm", "container", 2, "direct"),
    Case("trtllm", "swarm", 2, "direct", "tensorParallel"),
    Case("vllm", "container", 2, "direct"),
    Case("vllm", "container", 2, "direct", "tensorParallel"),
    Case("vllm", "native", 2, "direct", "tensorParallel"),
    Case("trtllm", "container", 3, "switch", "pipelineParallel"),
]
KILL = {
    "container": "sudo docker kill sparkform-tiny-{rank}",
    "swarm": "sudo docker ps -q --filter label=sparkform.service | xargs sudo docker kill",
    "native": "sudo systemctl kill -s KILL sparkform-tiny",
}


@dataclass
class Served:
    """A stack with one service on a rack."""

    case: Case
    rack: RackHandle
    deployment: Deployment

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

    def kill_the_last_rank(self) -> None:
        rank = self.case.ranks - 1
        self.rack.must(f"spark-{rank + 1}", KILL[self.case.runtime].format(rank=rank))

    def expected(self) -> str:
        return ANSWER if self.case.engine == "vllm" else "I am the TensorRT-LLM stand-in"


@pytest.fixture(params=CASES, ids=str)
def served(request: pytest.FixtureRequest, rack: RackFactory, tmp_path: Path) -> Iterator[Served]:
    case: Case = request.param
    if vllm.installed() is None:
        pytest.skip("its model is made by `make setup ENGINE=vllm`")
    made = rack(nodes=case.nodes, fabric=case.fabric)
    hub.add(made.rack, tiny.HANDLE, hub.Source(tiny.ensure(print)))
    image = None
    if case.runtime == "native":
        native.lay(made.rack)
    else:
        recipe = catalogue.trtllm() if case.engine == "trtllm" else catalogue.vllm_cpu()
        image = registry.publish(made.rack, images.ensure(recipe, print), recipe.reference)
    deployment = Deployment.on(made, tmp_path)
    for node in deployment.cluster["nodes"]:
        # What the rules say of a Spark's memory is not about this machine's.
        node["memoryGib"] = 119
    deployment.services = {NAME: case.block(image)}
    yield Served(case, made, deployment)
    deployment.destroy()


def test_up_answers_stays_as_it_is_and_mends_a_dead_rank(served: Served) -> None:
    started = time.monotonic()
    served.deployment.up()
    print(f"{served.case}: up took {time.monotonic() - started:.0f} s")
    assert (served.chat() or "").startswith(served.expected())
    assert served.deployment.up().changed == set()

    served.kill_the_last_rank()
    deadline = time.monotonic() + DEAD_LIMIT_S
    while served.chat() is not None:
        assert time.monotonic() < deadline, "it answers without its last rank"
    served.deployment.up()
    assert (served.chat() or "").startswith(served.expected())
    assert served.deployment.up().changed == set()
