"""What the server answers. Pure. Every answer says that no model is behind it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

TEXT = "I am the TensorRT-LLM stand-in of a simulated rack . No model answers here ."
WORDS = TEXT.split()
DEFAULT_TOKENS = 16


def count_tokens(request: Mapping[str, Any]) -> int:
    """At least one; a word counts as a token."""
    requested = request.get("max_completion_tokens") or request.get("max_tokens") or DEFAULT_TOKENS
    return max(1, min(int(requested), len(WORDS)))


def build_completion(
    request: Mapping[str, Any], served_name: str, version: str, step_report: Mapping[str, object]
) -> dict[str, Any]:
    """A chat completion where messages were sent, else a text completion."""
    tokens = count_tokens(request)
    text = " ".join(WORDS[:tokens])
    is_chat = "messages" in request
    reply = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
    return {
        "id": f"stand-in-{time.time_ns():x}",
        "object": "chat.completion" if is_chat else "text_completion",
        "created": int(time.time()),
        "model": served_name,
        "system_fingerprint": "trtllm-stand-in",
        "stand_in": {"for": f"TensorRT-LLM {version}", **step_report},
        "choices": [{"index": 0, **reply, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": 1 + tokens},
    }


def list_models(served_name: str) -> dict[str, object]:
    entry = {"id": served_name, "object": "model", "created": 0, "owned_by": "trtllm-stand-in"}
    return {"object": "list", "data": [entry]}


def describe_version(version: str) -> dict[str, object]:
    return {"version": version, "stand_in": True, "name": "trtllm-stand-in"}
