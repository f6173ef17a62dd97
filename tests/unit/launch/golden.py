"""The launches of every engine, runtime and topology as text; `python -m tests.unit.launch.golden`
writes them anew, after a change that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sparkform.config import Declaration
from tests.support.launch_text import render_launches
from tests.unit.launch.racks import (
    NODE_COUNTS,
    build_trtllm,
    build_vllm,
    declare_rack,
    plan_rack_launches,
)

FOLDER = Path(__file__).parent / "golden"
RUNTIMES = {"trtllm": ("swarm", "container"), "vllm": ("swarm", "container", "native")}
API_KEY = frozenset({"apiKey"})

GoldenCase = tuple[str, Declaration, frozenset[str]]


def list_cases() -> Iterator[GoldenCase]:
    """Name, declaration, and the secrets that the stack has."""
    for topology in NODE_COUNTS:
        for runtime in RUNTIMES["trtllm"]:
            declaration = declare_rack(topology, qwen=build_trtllm(topology, runtime=runtime))
            yield f"trtllm-{runtime}-{topology}", declaration, frozenset()
        for runtime in RUNTIMES["vllm"]:
            declaration = declare_rack(topology, oss=build_vllm(topology, runtime=runtime))
            yield f"vllm-{runtime}-{topology}", declaration, API_KEY
    yield from _list_further_cases()


def _list_further_cases() -> Iterator[GoldenCase]:
    ray = build_vllm("direct", launcher="ray")
    yield "vllm-container-direct-ray", declare_rack("direct", oss=ray), API_KEY
    native = build_vllm("direct", launcher="ray", runtime="native")
    yield "vllm-native-direct-ray", declare_rack("direct", oss=native), API_KEY
    copies = build_vllm("direct", tensorParallel=1, dataParallel=2)
    yield "vllm-container-direct-copies", declare_rack("direct", oss=copies), frozenset()
    second = build_vllm("direct", port=8001, gpuMemoryUtilization=0.3)
    both = declare_rack("direct", first=second | {"port": 8000}, second=second)
    yield "vllm-container-direct-second", both, frozenset()
    embedder = build_vllm("none", task="embed", model="Qwen/Qwen3-Embedding-0.6B")
    yield "vllm-container-none-embed", declare_rack("none", embed=embedder), API_KEY
    adapters = [
        {"name": "law", "model": "owner/law-lora", "rank": 64},
        {"name": "code", "model": "owner/code-lora"},
    ]
    tuned = build_vllm("direct", adapters=adapters, extraArgs=["--enable-prefix-caching"])
    yield "vllm-container-direct-adapters", declare_rack("direct", oss=tuned), frozenset()
    all_options = build_vllm(
        "none",
        quantization="mxfp4",
        kvCacheDtype="fp8",
        moeBackend="marlin",
        reasoningParser="openai_gptoss",
        toolParser="openai",
        enforceEager=True,
        trustRemoteCode=True,
        files={"oss.jinja": "{{ messages }}\n", "parser.py": "NAME = 'oss'\n"},
        chatTemplate="oss.jinja",
        reasoningParserPlugin="parser.py",
        toolParserPlugin="/opt/parsers/tools.py",
        speculative={
            "method": "eagle3",
            "tokens": 3,
            "model": "owner/draft",
            "ranks": 1,
            "quantization": "fp8",
            "moeBackend": "triton",
            "attentionBackend": "FLASH_ATTN",
        },
        revision="0123abc",
        servedName="oss",
        extraArgs=["--enable-prefix-caching"],
        environment={"NCCL_DEBUG": "WARN", "VLLM_USE_V1": "1"},
        image="vllm/vllm-openai:v0.26.0-aarch64-cu129-ubuntu2404",
    )
    yield "vllm-container-none-every-key", declare_rack("none", oss=all_options), API_KEY
    trtllm_options = build_trtllm(
        "direct",
        image="nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc13",
        cudaGraph=False,
        autotuner=False,
        attentionBackend="TRTLLM",
        kvCacheDtype="fp8",
        maxNumTokens=8192,
        cacheReuse=False,
        mambaCacheDtype="float16",
        mtpTokens=3,
        files={"qwen.jinja": "{{ messages }}\n"},
        reasoningParser="qwen3",
        toolParser="qwen3",
        trustRemoteCode=True,
        servedName="big",
        revision="0123abc",
        environment={"TLLM_LOG_LEVEL": "INFO"},
        extraArgs=["--num_postprocess_workers", "2"],
    )
    yield (
        "trtllm-container-direct-every-key",
        declare_rack("direct", qwen=trtllm_options),
        frozenset(),
    )


def render_case(case: GoldenCase) -> str:
    """What the case's file holds: the launches of the last service."""
    _, declaration, secrets = case
    plan = plan_rack_launches(declaration, secrets=secrets)
    assert plan.problems == (), [str(problem) for problem in plan.problems]
    *_, launches = plan.services.values()
    return render_launches(launches) + "\n"


def write_golden_files() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for case in list_cases():
        (FOLDER / f"{case[0]}.txt").write_text(render_case(case))


if __name__ == "__main__":
    write_golden_files()
