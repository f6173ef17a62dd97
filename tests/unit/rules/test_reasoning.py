"""Which models need the parser of their thoughts, by handle."""

from __future__ import annotations

import pytest

from sparkform.config import parse_config
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from tests.support.recorded import build_rack_declaration


def list_remedies(model: str, **changes: object) -> list[str]:
    cluster = build_rack_declaration().cluster.model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )
    service = {
        "engine": "vllm",
        "runtime": "native",
        "model": model,
        "tensorParallel": 2,
        "gpuMemoryUtilization": 0.8,
        "port": 8000,
        **changes,
    }
    violations = evaluate(Context(declaration=parse_config(cluster, {"one": service}))).violations
    return [
        violation.remedy for violation in violations if violation.rule == "vllm-reasoning-parser"
    ]


@pytest.mark.parametrize(
    ("model", "parser"),
    [
        ("Qwen/Qwen3-8B", "qwen3"),
        ("Intel/Qwen3.5-397B-A17B-int4-AutoRound", "qwen3"),
        ("Qwen/Qwen3.6-27B-FP8", "qwen3"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "deepseek_r1"),
        ("Qwen/QwQ-32B", "deepseek_r1"),
        ("cyankiwi/GLM-4.7-Flash-AWQ-4bit", "glm45"),
        ("nvidia/MiniMax-M2.7-NVFP4", "minimax_m2_append_think"),
    ],
)
def test_a_model_that_thinks_is_given_its_parser(model, parser) -> None:
    assert list_remedies(model) == [f"reasoningParser: {parser}"]
    assert list_remedies(model, reasoningParser=parser) == []
    assert list_remedies(model, extraArgs=[f"--reasoning-parser={parser}"]) == []


@pytest.mark.parametrize(
    "model",
    [
        "Qwen/Qwen3-Coder-480B-A35B-Instruct",
        "Qwen/Qwen3-VL-8B-Instruct",
        "Qwen/Qwen3-235B-A22B-Instruct-2507",
        "Qwen/Qwen3-VL-Embedding-8B",
        "Qwen/Qwen3-Coder-Next",
        "Qwen/Qwen2.5-72B-Instruct",
        "openai/gpt-oss-120b",
        "meta-llama/Llama-3.1-8B-Instruct",
        "nvidia/MiniMax-M3-NVFP4",
    ],
)
def test_a_model_that_answers_at_once_needs_none(model) -> None:
    assert list_remedies(model) == []


def test_thinking_that_is_switched_off_needs_no_parser() -> None:
    template_arguments = '{"enable_thinking": false}'
    assert (
        list_remedies(
            "Qwen/Qwen3-8B", extraArgs=["--default-chat-template-kwargs", template_arguments]
        )
        == []
    )
