"""No declaration that the spec accepts makes a rule fail, whatever stands in its free text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.config import parse_config
from sparkform.fabric.network import plan_network
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.setting_sources import SOURCES
from tests.support.node_reports import Fields
from tests.unit.config.support import build_cluster, trtllm, vllm
from tests.unit.rules.support import DATA, build_reports, read_config

OPTIONS = sorted(
    {option for table in SOURCES.values() for source in table.values() for option in source.options}
)
VARIABLES = [
    "NCCL_IB_HCA", "NCCL_IB_DISABLE", "NCCL_SOCKET_IFNAME", "NCCL_BUFFSIZE", "NCCL_NET",
    "NCCL_IB_MERGE_NICS", "VLLM_HOST_IP", "RAY_memory_monitor_refresh_ms", "NVIDIA_MOFED",
    "PYTORCH_CUDA_ALLOC_CONF", "HF_HUB_OFFLINE", "TRTLLM_ALLREDUCE_STRATEGY", "OTHER",
]  # fmt: skip
VALUES = ["", "0", "1", "-1", "=", "^", ":,=", "8K", "1.5k", "1e99", "auto", "{", "[]", "{}",
          '{"a": {"b": null}}', "expandable_segments:True", "ray://x", "/health"]  # fmt: skip
WORDS = [*(f"--{option}" for option in OPTIONS), *(f"--{option}=" for option in OPTIONS[:8]),
         *VALUES, "-", "--", "--=", "-O", "-O3", "-tp", "--no-enforce-eager"]  # fmt: skip
FACTS = [
    {},
    {"parameters": 1},
    {"parameters": 8_000_000_000, "layers": 2},
    {"parameters": 8_000_000_000, "weightBits": 4, "heads": 6, "kvHeads": 3, "headDim": 8},
    {"heads": 6},
    {"parameters": 9, "activeParameters": 900, "experts": 8, "expertsPerToken": 9},
]
IMAGES = ["a", "a:latest", "host:5000/a/b:1.3.0rc10", "nvcr.io/nvidia/vllm:26.05-py3",
          "nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc24"]  # fmt: skip


def draw_service(make: Callable[..., Fields]) -> st.SearchStrategy[dict[str, object]]:
    ranks = st.integers(1, 8)
    return st.builds(
        lambda **changes: make(**changes),
        image=st.sampled_from(IMAGES),
        model=st.sampled_from(
            ["openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V4-Flash", "somebody/unknown-405b-nvfp4"]
        ),
        modelFacts=st.sampled_from(FACTS),
        tensorParallel=ranks,
        pipelineParallel=ranks,
        dataParallel=ranks,
        maxSeqLen=st.sampled_from([1, 4096, 10**9]),
        kvCacheDtype=st.sampled_from(["auto", "fp8", "nvfp4_ds_mla", "odd"]),
        environment=st.dictionaries(st.sampled_from(VARIABLES), st.sampled_from(VALUES)),
        extraArgs=st.lists(st.sampled_from(WORDS), max_size=6),
    )


@given(
    block=st.one_of(draw_service(trtllm), draw_service(vllm)),
    nodes=st.integers(2, 8),
    observed=st.sampled_from([None, 0, 2, 8]),
)
def test_every_rule_answers(block: dict[str, object], nodes: int, observed: int | None) -> None:
    declaration = parse_config(build_cluster(nodes), {"one": block})
    reports = None if observed is None else build_reports(observed)
    network = None if reports is None else plan_network(declaration, reports)[0]
    context = Context(
        declaration=declaration, reports=reports, network=network, secrets=frozenset()
    )
    verdict = evaluate(context)
    assert all(violation.message.endswith(".") for violation in verdict.violations)


@pytest.mark.parametrize("path", sorted((DATA / "dangerous").glob("*.yaml"))[:20], ids=str)
def test_a_verdict_does_not_depend_on_the_order_of_keys(path: Path) -> None:
    config = read_config(path)
    services = cast(dict[str, Fields], config["sparkform:services"])
    reversed_services = {name: dict(reversed(block.items())) for name, block in services.items()}
    verdict = evaluate(Context(declaration=parse_config(config["sparkform:cluster"], services)))
    reversed_verdict = evaluate(
        Context(declaration=parse_config(config["sparkform:cluster"], reversed_services))
    )
    assert {violation.rule for violation in verdict.violations} == {
        violation.rule for violation in reversed_verdict.violations
    }
