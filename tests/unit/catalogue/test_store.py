from __future__ import annotations

import pytest

from sparkform.catalogue import store
from sparkform.errors import InputError


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("OpenAI/GPT-OSS-120B", "openai/gpt-oss-120b"),
        ("gpt-oss-120b", "openai/gpt-oss-120b"),
        ("qwen3-235b-a22b", "nvidia/Qwen3-235B-A22B-FP4"),
        ("Qwen/Qwen3-235B-A22B", "Qwen/Qwen3-235B-A22B"),
        ("Llama-3.3-70B-Instruct-FP8", "nvidia/Llama-3.3-70B-Instruct-FP8"),
    ],
)
def test_a_model_is_found_by_handle_by_its_name_and_by_the_handles_last_part(
    name: str, handle: str
) -> None:
    assert store.get_entry(name).checkpoint.handle == handle


def test_an_unknown_model_is_refused_with_near_names() -> None:
    with pytest.raises(InputError, match=r"did you mean openai/gpt-oss-120b") as caught:
        store.get_entry("openai/gpt-os-120b")
    assert "--config" in str(caught.value)


def test_a_name_like_nothing_is_refused_without_an_offer() -> None:
    with pytest.raises(InputError) as caught:
        store.get_entry("zzzzzz")
    assert "did you mean" not in str(caught.value)


def test_unknown_hardware_is_refused_with_what_there_is() -> None:
    with pytest.raises(InputError, match="gb10-128"):
        store.get_machine("gb200")
