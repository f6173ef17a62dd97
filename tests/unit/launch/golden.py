"""The launches of every engine, runtime and topology as text; `python -m tests.unit.launch.golden`
writes them anew, after a change that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sparkform.config import Spec
from sparkform.launch.readable import readable
from tests.unit.launch.racks import NODES, on, planned, trt, vll

FOLDER = Path(__file__).parent / "golden"
RUNTIMES = {"trtllm": ("swarm", "container"), "vllm": ("swarm", "container", "native")}
KEY = frozenset({"apiKey"})

Case = tuple[str, Spec, frozenset[str]]


def cases() -> Iterator[Case]:
    """Name, declaration, and the secrets that the stack has."""
    for topology in NODES:
        for runtime in RUNTIMES["trtllm"]:
            declared = on(topology, qwen=trt(topology, runtime=runtime))
            yield f"trtllm-{runtime}-{topology}", declared, frozenset()
        for runtime in RUNTIMES["vllm"]:
            declared = on(topology, oss=vll(topology, runtime=runtime))
            yield f"vllm-{runtime}-{topology}", declared, KEY
    yield from _further()


def _further() -> Iterator[Case]:
    ray = vll("direct", launcher="ray")
    yield "vllm-container-direct-ray", on("direct", oss=ray), KEY
    native = vll("direct", launcher="ray", runtime="native")
    yield "vllm-native-direct-ray", on("direct", oss=native), KEY
    copies = vll("direct", tensorParallel=1, dataParallel=2)
    yield "vllm-container-direct-copies", on("direct", oss=copies), frozenset()
    every = vll(
        "none",
        quantization="mxfp4",
        kvCacheDtype="fp8",
        moeBackend="marlin",
        reasoningParser="openai_gptoss",
        toolParser="openai",
        enforceEager=True,
        trustRemoteCode=True,
        speculative={"method": "eagle3", "tokens": 3, "model": "owner/draft"},
        revision="0123abc",
        servedName="oss",
        extraArgs=["--enable-prefix-caching"],
        environment={"NCCL_DEBUG": "WARN", "VLLM_USE_V1": "1"},
        image="vllm/vllm-openai:v0.26.0-aarch64-cu129-ubuntu2404",
    )
    yield "vllm-container-none-every-key", on("none", oss=every), KEY
    graphs = trt(
        "direct",
        image="nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc13",
        cudaGraph=False,
        autotuner=False,
        attentionBackend="TRTLLM",
        kvCacheDtype="fp8",
        maxNumTokens=8192,
        reasoningParser="qwen3",
        toolParser="qwen3",
        trustRemoteCode=True,
        servedName="big",
        revision="0123abc",
        environment={"TLLM_LOG_LEVEL": "INFO"},
        extraArgs=["--num_postprocess_workers", "2"],
    )
    yield "trtllm-container-direct-every-key", on("direct", qwen=graphs), frozenset()


def text(case: Case) -> str:
    """What the case's file holds."""
    _, declared, secrets = case
    plan = planned(declared, secrets=secrets)
    assert plan.problems == (), [str(problem) for problem in plan.problems]
    (launches,) = plan.services.values()
    return readable(launches) + "\n"


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for case in cases():
        (FOLDER / f"{case[0]}.txt").write_text(text(case))


if __name__ == "__main__":
    write()
