"""The service that the demo shows: real vLLM, cut in two, with a tiny model of the rack's hub."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sparkrack import hub, registry
from sparkrack.demo.running import DemoError
from sparkrack.engines import catalogue, images, tiny, vllm
from sparkrack.host import Notify
from sparkrack.layout import SimulatedRack

NAME = "tiny"
QUESTION = "What is a DGX Spark?"
TOKENS = 64
ANSWER_LIMIT_S = 60.0
DONE = "[DONE]"
"""How a stream of server-sent events ends in OpenAI's form."""

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
# The catalogue does not know this model, so the stack file gives the sizes that rules need.
FACTS = {
    "parameters": 1_000_000,
    "layers": 4,
    "heads": 8,
    "kvHeads": 4,
    "headDim": 32,
    "weightBits": 16,
    "maxPosition": 2048,
}


@dataclass(frozen=True)
class DemoService:
    """What the stack file declares, and what is asked of it once it is up."""

    block: Mapping[str, object]

    @property
    def model(self) -> str:
        return str(self.block["model"])


def is_available() -> bool:
    """Whether a real engine was set up on this machine."""
    return vllm.find_installed() is not None


def publish(rack: SimulatedRack, notify: Notify) -> DemoService:
    """Put engine and model where the rack's nodes fetch them: its registry and its hub."""
    local = images.ensure(catalogue.build_vllm_recipe(), notify)
    image = pin_digest(rack, registry.publish(rack, local, catalogue.VLLM_CPU))
    folder = tiny.ensure(notify)
    revision = hub.add(rack, tiny.HANDLE, hub.ModelSource(folder)).commit
    notify(f"published engine {image} to the rack's registry and model {tiny.HANDLE} to its hub")
    return DemoService(build_service_block(image, revision))


def pin_digest(rack: SimulatedRack, reference: str) -> str:
    """The reference with the digest that the rack's registry has for it: a tag can move."""
    name, _, tag = reference.partition("/")[2].rpartition(":")
    url = f"http://{registry.get_address(rack)}/v2/{name}/manifests/{tag}"
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": MANIFEST})
    with urllib.request.urlopen(request, timeout=ANSWER_LIMIT_S) as response:
        return f"{reference}@{response.headers['Docker-Content-Digest']}"


def build_service_block(image: str, revision: str) -> dict[str, object]:
    """The service's block of the stack file. 0.3 of the memory: all nodes share one machine's."""
    return {
        "engine": "vllm",
        "runtime": "container",
        "image": image,
        "model": tiny.HANDLE,
        "revision": revision,
        "modelFacts": FACTS,
        "tensorParallel": 2,
        "maxBatchSize": 4,
        "maxSeqLen": 512,
        "gpuMemoryUtilization": 0.3,
        "port": 8000,
    }


def build_question(service: DemoService) -> dict[str, object]:
    message = {"role": "user", "content": QUESTION}
    question = {"model": service.model, "messages": [message]}
    return {**question, "max_tokens": TOKENS, "temperature": 0, "stream": True}


def stream_answer(url: str, service: DemoService) -> Iterator[str]:
    """A chat completion at the stack's apiUrl, piece by piece as it comes. Raises DemoError where
    none does."""
    request = urllib.request.Request(
        f"{url}/chat/completions",
        data=json.dumps(build_question(service)).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_LIMIT_S) as response:
            for line in response:
                yield read_piece(line.decode())
    except OSError as error:
        raise DemoError(f"{url} does not answer: {error}") from None


def read_piece(line: str) -> str:
    """The text of one line of a streamed answer; empty where it brings none.

    >>> read_piece('data: {"choices": [{"delta": {"content": "A small"}}]}')
    'A small'
    >>> read_piece("data: [DONE]")
    ''
    """
    kind, _, data = line.strip().partition(": ")
    if kind != "data" or data == DONE:
        return ""
    choices = json.loads(data).get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")
