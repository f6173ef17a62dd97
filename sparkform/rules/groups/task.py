"""Models whose names say what they answer with, and services that say otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome

RERANKER = re.compile(r"rerank|cross-encoder")
EMBEDDER = re.compile(r"embed|sentence-transformers/|\b(bge|gte|e5|minilm)-")
ANSWERS = {"embed": "embeddings", "rerank": "scores of documents", "generate": "text"}


def find_named_task(model: str) -> str | None:
    """The task that a handle's words name, None where they name none."""
    if RERANKER.search(model):
        return "rerank"
    return "embed" if EMBEDDER.search(model) else None


def check_task(service: ServiceView) -> Iterator[RuleOutcome]:
    """The probe asks for what task says: of an embedder a chat never comes, and it is never ready.

    Embedders and rerankers have it in their names. vLLM's pooling runner serves them at
    /v1/embeddings, /v1/rerank and /v1/score.
    """
    named, task = find_named_task(service.model), service.block.task
    if named is not None and named != task:
        yield RuleFinding(
            path=service.get_path("task"),
            message=f"The model's name is that of one that answers with {ANSWERS[named]}, and "
            f"task {task} expects {ANSWERS[task]}.",
            remedy=f"task: {named}",
        )


SERVICE_RULES = {"task-named": check_task}
