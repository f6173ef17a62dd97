"""`vllm bench serve`: the words that a load becomes, and its result read back. Pure.

Forms: vllm/benchmarks/serve.py (vllm-project/vllm@009e6d4a).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, ValidationError

from sparkform.bench.load import Load
from sparkform.bench.requests import Outcome, RequestRecord

NAME = "vllm bench serve"
ERROR_LENGTH = 160


class VllmBenchResult(BaseModel):
    """What it writes with --save-detailed, as far as it is used: lists by request, in seconds.

    `latencies` are missing in older versions: they are the sum of TTFT and gaps then.
    """

    model_config = ConfigDict(extra="ignore")

    start_times: list[float]
    input_lens: list[int]
    output_lens: list[int]
    ttfts: list[float]
    itls: list[list[float]]
    errors: list[str]
    latencies: list[float] | None = None


def build_arguments(load: Load, url: str, served_name: str, tokenizer: str) -> list[str]:
    """After `vllm bench serve`. The prompts are random tokens of this seed, so that no prefix cache
    answers, but for the part that they are to share. No test request is sent before: it would be
    the first prompt, which the cache would then answer."""
    own_tokens = load.input_tokens - load.shared_prefix_tokens
    rate = ["--request-rate", f"{load.rate_per_s:g}"] if load.rate_per_s else []
    bound = ["--max-concurrency", str(load.concurrency)] if load.concurrency else []
    shared = load.shared_prefix_tokens
    prefix = ["--random-prefix-len", str(shared)] if shared else []
    return [
        *("--backend", "openai-chat", "--endpoint", "/v1/chat/completions", "--base-url", url),
        *("--model", served_name, "--tokenizer", tokenizer, "--dataset-name", "random"),
        *("--random-input-len", str(own_tokens), "--random-output-len", str(load.output_tokens)),
        *("--num-prompts", str(load.prompts), "--seed", str(load.seed), "--ignore-eos"),
        *("--ready-check-timeout-sec", "0", "--disable-tqdm"),
        *rate,
        *bound,
        *prefix,
    ]


def parse_result(text: str, load: Load) -> tuple[RequestRecord, ...]:
    """By start. Raises ValueError where it is no such result."""
    try:
        result = VllmBenchResult.model_validate(json.loads(text))
        records = list(_list_records(result, load))
    except (ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"no result with --save-detailed ({reason})") from None
    return tuple(sorted(records, key=lambda record: record.start_s))


def _list_records(result: VllmBenchResult, load: Load) -> Iterator[RequestRecord]:
    """Raises ValueError where the lists differ in length."""
    first_s = min((start for start in result.start_times if start), default=0.0)
    unknown: list[float | None] = [None] * len(result.start_times)
    for start_s, inputs, outputs, ttft_s, gaps_s, error, latency_s in zip(
        result.start_times,
        result.input_lens,
        result.output_lens,
        result.ttfts,
        result.itls,
        result.errors,
        result.latencies or unknown,
        strict=True,
    ):
        outcome = judge_outcome(error, outputs, load)
        has_token = outputs > 0 and ttft_s > 0
        yield RequestRecord(
            start_s=max(start_s - first_s, 0.0),
            e2e_s=latency_s or ttft_s + sum(gaps_s),
            ttft_s=ttft_s if has_token else None,
            gaps_s=tuple(gaps_s),
            input_tokens=inputs or None,
            output_tokens=outputs,
            outcome=outcome,
            error=_shorten(error) if outcome == "failed" else None,
        )


def judge_outcome(error: str, output_tokens: int, load: Load) -> Outcome:
    if error:
        return "failed"
    if not output_tokens:
        return "empty"
    return "answered" if output_tokens >= load.output_tokens else "short"


def _shorten(error: str) -> str:
    """Its last line: the first ones of a traceback name the client's own code."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[-1][:ERROR_LENGTH] if lines else "no message"
