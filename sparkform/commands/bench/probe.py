"""One short request before a benchmark: the speed of a step, to hold against what is usual here."""

from __future__ import annotations

import json
import time
import urllib.request

from sparkform.commands.bench.api import ServiceApi
from sparkform.commands.bench.failure import BenchError

TOKENS = 48
LIMIT_S = 120.0
PROMPT = "Count from one to one hundred in words, separated by commas."


def probe_speed(api: ServiceApi, served_name: str) -> float | None:
    """Tokens a second of one request, after its first. None where too few chunks came to tell.

    Raises BenchError where the service does not answer it.
    """
    body = {
        "model": served_name,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "stream": True,
    }
    headers = {"Content-Type": "application/json"}
    if api.key:
        headers["Authorization"] = f"Bearer {api.key}"
    request = urllib.request.Request(
        f"{api.url}/v1/chat/completions", json.dumps(body).encode(), headers
    )
    try:
        times = list_token_times(request)
    except OSError as error:
        raise BenchError(
            f"The service lists its model, but answers no request ({error}); `sparkform logs` "
            "shows what its engine says."
        ) from None
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 else None


def list_token_times(request: urllib.request.Request) -> list[float]:
    """Raises OSError."""
    times = []
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        for line in answer:
            if line.startswith(b"data: {") and has_text(line.removeprefix(b"data: ")):
                times.append(time.monotonic())
    return times


def has_text(line: bytes) -> bool:
    try:
        choices = json.loads(line).get("choices") or [{}]
    except ValueError:
        return False
    delta = choices[0].get("delta") or {}
    return any(delta.get(name) for name in ("content", "reasoning_content", "reasoning"))
