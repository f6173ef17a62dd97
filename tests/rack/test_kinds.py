"""An embedder, a reranker and an adapter, served by the real vLLM on one node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from sparkrack import hub, registry
from sparkrack.engines import catalogue, images, tiny, tiny_llama, vllm
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

TEXT, DOCUMENTS = "A rack of small computers.", ["one", "another", "a third"]
QUESTION, ANSWER = tiny_llama.DIALOGUES[0]
SIMILAR = 0.99
PORTS = {"embed": 8000, "rerank": 8001, "chat": 8002}


@dataclass
class Kinds:
    rack: RackHandle
    deployment: Deployment

    def request(self, service: str, path: str, body: Mapping[str, object]) -> Any:
        url = f"http://{self.rack.rack.nodes[0].address}:{PORTS[service]}{path}"
        curl = f"curl -sS -m 60 -H 'Content-Type: application/json' {url} -d @-"
        return json.loads(self.rack.ask("spark-1", curl, json.dumps(body)).stdout)

    def ask(self, model: str) -> str:
        message = {"role": "user", "content": QUESTION}
        body = {"model": model, "messages": [message], "max_tokens": 64, "temperature": 0}
        answer = self.request("chat", "/v1/chat/completions", body)
        return str(answer["choices"][0]["message"]["content"])


def build_service(name: str, image: str, **keys: object) -> dict[str, object]:
    return {
        "engine": "vllm",
        "runtime": "container",
        "image": image,
        "nodes": ["spark-1"],
        "maxBatchSize": 4,
        "maxSeqLen": 256,
        "gpuMemoryUtilization": 0.1,
        "enforceEager": True,
        "port": PORTS[name],
        **keys,
    }


@pytest.fixture(scope="module")
def kinds(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kinds]:
    if vllm.find_installed() is None:
        pytest.skip("its models are made by `make setup ENGINE=vllm`")
    machines = rack(nodes=1, fabric="none")
    for model in (tiny.LLAMA, tiny.EMBEDDER, tiny.RERANKER, tiny.ADAPTER):
        hub.add(machines.rack, model.handle, hub.ModelSource(tiny.ensure(print, model)))
    recipe = catalogue.build_vllm_recipe()
    image = registry.publish(machines.rack, images.ensure(recipe, print), recipe.reference)
    before = compute_digest(machines)
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("kinds"))
    deployment.cluster["keepModels"] = False
    deployment.declare_memory()
    adapter = {"name": "tuned", "model": tiny.ADAPTER.handle, "rank": 8}
    deployment.services = {
        "embed": build_service("embed", image, model=tiny.EMBEDDER.handle, task="embed"),
        "rerank": build_service("rerank", image, model=tiny.RERANKER.handle, task="rerank"),
        "chat": build_service("chat", image, model=tiny.LLAMA.handle, adapters=[adapter]),
    }
    deployment.up()
    yield Kinds(machines, deployment)
    deployment.destroy()
    assert list_changes(before, compute_digest(machines)) == []


def test_an_embedding_is_that_of_transformers(kinds: Kinds) -> None:
    body = {"model": tiny.EMBEDDER.handle, "input": TEXT}
    vector = kinds.request("embed", "/v1/embeddings", body)["data"][0]["embedding"]
    folder, script = tiny.ensure(print, tiny.EMBEDDER), str(tiny.POOLING_GENERATOR)
    command = [*tiny.build_python_command(), script, "embed", str(folder), TEXT]
    expected = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    product = sum(one * other for one, other in zip(vector, expected, strict=True))
    assert product > SIMILAR, "both have the length one"


def test_documents_are_ranked_by_their_scores(kinds: Kinds) -> None:
    body = {"model": tiny.RERANKER.handle, "query": TEXT, "documents": DOCUMENTS}
    results = kinds.request("rerank", "/v1/rerank", body)["results"]
    scores = [result["relevance_score"] for result in results]
    assert scores == sorted(scores, reverse=True)
    assert {result["index"] for result in results} == set(range(len(DOCUMENTS)))


def test_an_adapter_answers_under_its_own_name(kinds: Kinds) -> None:
    assert kinds.ask(tiny.LLAMA.handle) == ANSWER
    assert kinds.ask("tuned") != ANSWER


def test_nothing_is_to_be_done_again(kinds: Kinds) -> None:
    assert kinds.deployment.up().changed == set()
