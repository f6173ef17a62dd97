"""What of a service's settings reaches the sum of its memory, and what a fixed cache changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sparkform.config import load_stack, parse_config
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.engine_settings import build_engine_settings
from sparkform.rules.evaluate import evaluate
from sparkform.rules.groups.memory import fit_on
from sparkform.rules.outcome import RulesVerdict
from tests.support.node_reports import build_report
from tests.unit.rules.support import DATA, list_refused, list_warned

NO_SWAP = {"swap_total_kib": 0, "swap_free_kib": 0, "swaps": []}
DIGEST = "@sha256:" + 64 * "0"
TABLE_ON_DISK = {"VLLM_PLE_TABLE_MEMORY": "disk"}
FLASH_NEXT = {
    "model": "nvidia/Qwen3.8-Flash-Next-NVFP4",
    "modelFacts": {"parameters": 176940000000, "activeParameters": 6000000000, "weightBits": 6.0},
    "gpuMemoryUtilization": 0.79,
    "environment": TABLE_ON_DISK,
}


def build_context(**changes: Any) -> Context:
    declaration = load_stack(DATA / "good" / "vllm-one-node.yaml")
    block = declaration.services["gpt-oss"].to_plain() | changes
    return Context(declaration=parse_config(declaration.cluster.to_plain(), {"service": block}))


def get_service(**changes: Any) -> ServiceView:
    return build_context(**changes).services[0]


def judge(**changes: Any) -> RulesVerdict:
    return evaluate(build_context(**changes))


def measure_part(name: str, **changes: Any) -> float:
    service = get_service(**changes)
    fit = fit_on(service, service.nodes[0])
    assert fit is not None
    return sum(part.gib for part in fit.parts if part.name == name)


@pytest.mark.parametrize(
    ("image", "environment", "is_counted"),
    [
        ("vllm/vllm-openai:v0.20.2", {}, False),
        ("vllm/vllm-openai:v0.21.0", {}, True),
        ("example/vllm:spring", {}, True),
        ("vllm/vllm-openai:v0.27.1", {"VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": "0"}, False),
        ("vllm/vllm-openai:v0.20.2", {"VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": "1"}, True),
    ],
)
def test_recorded_graphs_are_counted_where_the_version_does(
    image: str, environment: dict[str, str], is_counted: bool
) -> None:
    size = measure_part("recorded graphs", image=image + DIGEST, environment=environment)
    assert (size > 0) is is_counted


def test_without_graphs_none_are_counted() -> None:
    assert measure_part("recorded graphs", enforceEager=True) == 0
    assert measure_part("recorded graphs", extraArgs=["-O.cudagraph_mode", "NONE"]) == 0


@pytest.mark.parametrize(("version", "is_counted"), [("v0.24.0", True), ("v0.25.1", False)])
def test_the_page_cache_counts_in_one_version_and_where_it_was_read(
    version: str, is_counted: bool
) -> None:
    """vLLM 0.24 starts once, and not again while the weights it read lie in the page cache."""
    context = build_context(image=f"vllm/vllm-openai:{version}{DIGEST}", gpuMemoryUtilization=0.85)
    kib = {"total_kib": 127535272, "available_kib": 120000000, "free_kib": 60000000}
    report = build_report({"memory": kib | NO_SWAP})
    for reports, expected in ((None, False), ({"spark-1": report}, is_counted)):
        service = replace(context, reports=reports).services[0]
        fit = fit_on(service, service.nodes[0])
        assert fit is not None
        assert any(part.name == "page cache" for part in fit.parts) is expected


def test_a_bigger_step_leaves_less_for_the_cache() -> None:
    small = measure_part("activations", extraArgs=["--max-num-batched-tokens", "2048"])
    large = measure_part("activations", extraArgs=["--max-num-batched-tokens", "131072"])
    assert large > small + 5


def test_drafts_are_read_from_the_block_and_from_options() -> None:
    declared = build_engine_settings(get_service(speculative={"method": "mtp", "tokens": 3}))
    assert (declared.draft_method, declared.draft_tokens) == ("mtp", 3)
    option = '{"method": "mtp", "num_speculative_tokens": 2}'
    given = build_engine_settings(get_service(extraArgs=["--speculative-config", option]))
    assert (given.draft_method, given.draft_tokens) == ("mtp", 2)


def test_a_draft_model_of_the_catalogue_is_counted_whole() -> None:
    draft = {"method": "draft_model", "tokens": 3, "model": "openai/gpt-oss-20b"}
    assert measure_part("draft layers", speculative=draft) == pytest.approx(12.8, abs=0.1)


def test_a_loader_that_keeps_buffers_is_counted() -> None:
    arguments = ["--load-format", "instanttensor"]
    assert measure_part("loader buffers", extraArgs=arguments) == pytest.approx(4.4, abs=0.1)


def test_with_a_fixed_cache_the_share_is_no_limit() -> None:
    """As eugr/spark-vllm-docker#277 runs it: share 0.15, and a cache of 5.6 GiB."""
    fixed = ["--kv-cache-memory-bytes", "6012954214"]
    low = {"gpuMemoryUtilization": 0.15}
    assert "mem-fit" in list_refused(judge(**low))
    assert "mem-fit" not in list_refused(judge(extraArgs=fixed, **low))
    too_large = ["--kv-cache-memory-bytes", "90G"]
    service = get_service(extraArgs=too_large, **low)
    fit = fit_on(service, service.nodes[0])
    assert fit is not None
    assert fit.free_gib < 60


def test_weights_on_the_disk_are_not_counted() -> None:
    facts = FLASH_NEXT["modelFacts"] | {"diskGib": 47.7}  # type: ignore[operator]
    assert "mem-fit" not in list_refused(judge(**FLASH_NEXT | {"modelFacts": facts}))
    in_memory = FLASH_NEXT | {"modelFacts": facts, "environment": {}}
    assert "mem-fit" in list_refused(judge(**in_memory))


def test_how_much_lies_on_the_disk_is_asked_for_and_not_guessed() -> None:
    verdict = judge(**FLASH_NEXT)
    assert "mem-fit" not in list_refused(verdict)
    assert any("modelFacts.diskGib" in str(skip) for skip in verdict.skipped)


def test_a_step_beyond_what_sparks_take_is_advised_against() -> None:
    many = ["--max-num-batched-tokens", "65536"]
    assert "step-tokens" in list_warned(judge(extraArgs=many))
    assert "step-tokens" not in list_warned(judge(extraArgs=["--max-num-batched-tokens", "8192"]))


def test_the_refusal_names_every_part() -> None:
    verdict = judge(image="example/vllm:spring" + DIGEST, gpuMemoryUtilization=0.4)
    (violation,) = [found for found in verdict.refusals if found.rule == "mem-fit"]
    for part in ("weights 60.7", "recorded graphs", "activations", "engine 2.2"):
        assert part in violation.message
