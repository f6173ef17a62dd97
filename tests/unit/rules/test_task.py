"""What a handle's words say of its task."""

from __future__ import annotations

import pytest

from sparkform.catalogue import store
from sparkform.rules.groups.task import find_named_task


@pytest.mark.parametrize(
    ("model", "task"),
    [
        ("qwen/qwen3-embedding-8b", "embed"),
        ("qwen/qwen3-reranker-0.6b", "rerank"),
        ("baai/bge-m3", "embed"),
        ("baai/bge-reranker-v2-m3", "rerank"),
        ("jinaai/jina-reranker-v2-base-multilingual", "rerank"),
        ("jinaai/jina-embeddings-v3", "embed"),
        ("nomic-ai/nomic-embed-text-v1.5", "embed"),
        ("intfloat/e5-mistral-7b-instruct", "embed"),
        ("alibaba-nlp/gte-qwen2-7b-instruct", "embed"),
        ("sentence-transformers/all-minilm-l6-v2", "embed"),
        ("cross-encoder/ms-marco-minilm-l6-v2", "rerank"),
        ("/srv/models/bge-m3", "embed"),
        ("openai/gpt-oss-120b", None),
        ("rednote/dots-e5x", None),
        ("", None),
    ],
)
def test_a_name_says_what_a_model_answers_with(model: str, task: str | None) -> None:
    assert find_named_task(model) == task


def test_no_chat_model_of_the_catalogue_has_such_a_name() -> None:
    named = {
        model.name: {find_named_task(checkpoint.handle.lower()) for checkpoint in model.checkpoints}
        for model in store.list_models()
    }
    tasks = {name for name, found in named.items() if found != {None}}
    assert tasks == {
        "bge-m3",
        "jina-embeddings-v3",
        "nomic-embed-text-v1.5",
        "qwen3-embedding-0.6b",
        "qwen3-embedding-4b",
        "qwen3-embedding-8b",
        "qwen3-vl-8b",
    }
