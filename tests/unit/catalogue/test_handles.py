"""Copies of a model are known by their release, whatever owner and quantisation are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.catalogue import store
from sparkform.catalogue.describe import find_by_size, find_described
from sparkform.catalogue.handles import read_size_facts, split_handle


@pytest.mark.parametrize(
    ("handle", "release", "method"),
    [
        ("example/gpt-oss-120b-AWQ", "gpt-oss-120b", "int4"),
        ("Intel/Qwen3.5-397B-A17B-int4-AutoRound", "qwen3.5-397b-a17b", "int4"),
        ("Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4", "qwen2.5-72b-instruct", "int4"),
        ("unsloth/Llama-3.3-70B-Instruct-bnb-4bit", "llama-3.3-70b-instruct", "int4"),
        (
            "RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16",
            "llama-3.3-70b-instruct",
            "int4",
        ),
        ("cyankiwi/MiniMax-M2.7-AWQ-4bit", "minimax-m2.7", "int4"),
        ("saricles/MiniMax-M2.7-NVFP4-GB10-AC", "minimax-m2.7", "nvfp4"),
        ("nvidia/Llama-3.1-8B-Instruct-FP4", "llama-3.1-8b-instruct", "nvfp4"),
        ("olka-fi/MiniMax-M2.7-MXFP4", "minimax-m2.7", "mxfp4"),
        ("GadflyII/GLM-4.7-Flash-MTP-NVFP4", "glm-4.7-flash", "nvfp4"),
        ("Qwen/Qwen3-32B-FP8", "qwen3-32b", "fp8"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "nemotron-3-nano-30b-a3b", "bf16"),
        (
            "hugging-quants/Meta-Llama-3.1-405B-Instruct-AWQ-INT4",
            "llama-3.1-405b-instruct",
            "int4",
        ),
        ("/srv/models/Qwen3-32B/", "qwen3-32b", None),
        ("openai/gpt-oss-120b", "gpt-oss-120b", None),
    ],
)
def test_a_handle_tells_release_and_quantisation(
    handle: str, release: str, method: str | None
) -> None:
    parts = split_handle(handle)
    assert (parts.release, parts.method) == (release, method)


@pytest.mark.parametrize(
    ("handle", "quantisation", "taken_for"),
    [
        ("example/gpt-oss-120b-AWQ", "int4", "openai/gpt-oss-120b"),
        ("nvidia/Phi-4-reasoning-plus-NVFP4", "nvfp4", "nvidia/Phi-4-reasoning-plus-FP4"),
        ("unsloth/Llama-3.3-70B-Instruct", "bf16", "meta-llama/Llama-3.3-70B-Instruct"),
        ("example/gpt_oss_20b", "mxfp4", "openai/gpt-oss-20b"),
        ("RedHatAI/Qwen3-235B-A22B-Instruct-2507-NVFP4", "nvfp4", "nvidia/Qwen3-235B-A22B-FP4"),
        ("Qwen/Qwen3.8-27B", "bf16", "RadixArk/Qwen3.8-27B-NVFP4"),
    ],
)
def test_a_copy_is_described_as_what_it_is_a_copy_of(
    handle: str, quantisation: str, taken_for: str
) -> None:
    described = find_described(handle)
    assert described is not None
    assert described.quantisation.name == quantisation
    assert described.assumptions == (f"{taken_for} in {quantisation}",)


def test_a_listed_checkpoint_needs_no_assumption() -> None:
    described = find_described("openai/gpt-oss-120b")
    assert described is not None
    assert described.assumptions == ()


def test_a_variant_of_one_shape_brings_its_own_longest_context() -> None:
    copy, variant = find_described("x/Qwen3-30B-A3B-AWQ"), find_described("x/Qwen3-30B-A3B-2507")
    assert copy is not None
    assert variant is not None
    assert copy.longest_context == 40960
    assert variant.longest_context is None


@pytest.mark.parametrize(
    ("handle", "parameters"),
    [
        ("Qwen/Qwen3-Embedding-4B", 4e9),
        ("example/Some-30B-A3B-AWQ", 30e9),
        ("mistralai/Mixtral-8x22B-Instruct-v0.1", None),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct", None),
        ("sparkarena/Minimax-M3-v0-NVFP4-REAP50", None),
    ],
)
def test_parameters_are_read_from_a_name_that_tells_them(
    handle: str, parameters: float | None
) -> None:
    facts = read_size_facts(handle)
    assert (facts.parameters if facts else None) == parameters


def test_a_size_without_quantisation_is_no_judgement() -> None:
    assert find_by_size("example/Some-30B-A3B") is None
    assert find_by_size("example/Some-30B-A3B-FP8") is not None
    assert find_by_size("zai-org/GLM-4.6") is not None, "its own repository is listed"


def test_every_listed_handle_is_a_copy_of_its_own_model() -> None:
    for model in store.list_models():
        for checkpoint in model.checkpoints:
            entries = store.list_entries_like(split_handle(checkpoint.handle).key, by_base=False)
            assert model.name in {entry.model.name for entry in entries}


@given(st.text(alphabet="abAB0123456789.-_/", min_size=1))
def test_any_text_can_be_taken_apart(text: str) -> None:
    parts = split_handle(text)
    assert parts.release == parts.release.lower()
    find_described(text)
    find_by_size(text)


@pytest.mark.parametrize("handle", ["MTP", "owner/FP8", "nvidia", "", "/"])
def test_a_handle_of_marks_alone_is_a_release_of_that_name(handle: str) -> None:
    assert split_handle(handle).release == handle.lower().rpartition("/")[2]
