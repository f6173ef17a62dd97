"""aiperf 0.13: the configuration that a load becomes, and its records read back. Pure.

Forms: its config/schema, and what it wrote when it was run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from sparkform.bench.load import Load
from sparkform.bench.requests import Outcome, RequestRecord

NAME = "aiperf"
VERSION = "0.13.0"
RECORDS = "profile_export.jsonl"
KEY_VARIABLE = "SPARKFORM_BENCH_API_KEY"
WARMUP_REQUESTS = 2
PROFILING = "profiling"
EMPTY_ANSWER = "InvalidInferenceResultError"
"""What aiperf calls an answer that ended well without any content."""

MESSAGE_LENGTH = 160
NANO, MILLI = 1e-9, 1e-3
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "AIPERF_RECORD_EXPORT_BATCH_SIZE": "1",
}
"""No hub is asked, and each record is on the disk at once: what a killed run measured stays."""


@dataclass(frozen=True)
class Endpoint:
    """The API as it is asked. `has_key`: the key comes in the variable, never as a word."""

    url: str
    served_name: str
    tokenizer: str
    has_key: bool = False
    timeout_s: float = 600.0


def build_config(load: Load, endpoint: Endpoint, folder: str) -> dict[str, object]:
    """All prompts differ, the warm-up's too: none is answered by the prefix cache, but for the part
    that they are to share."""
    warmup = min(WARMUP_REQUESTS, load.concurrency or WARMUP_REQUESTS)
    own_tokens = load.input_tokens - load.shared_prefix_tokens
    dataset: dict[str, object] = {
        "type": "synthetic",
        "entries": load.prompts + warmup,
        "prompts": {
            "isl": {"mean": own_tokens, "stddev": 0},
            "osl": {"mean": load.output_tokens, "stddev": 0},
        },
    }
    if load.shared_prefix_tokens:
        dataset["prefix_prompts"] = {"shared_system_length": load.shared_prefix_tokens}
    return {
        "schemaVersion": "2.0",
        "randomSeed": load.seed,
        "benchmark": {
            "model": endpoint.served_name,
            "endpoint": build_endpoint(endpoint, load),
            "tokenizer": {"name": endpoint.tokenizer},
            "dataset": dataset,
            "phases": [build_warmup(load, warmup), build_phase(load)],
            "gpu_telemetry": {"enabled": False},
            "server_metrics": {"enabled": False},
            "artifacts": {"dir": folder},
        },
    }


def build_endpoint(endpoint: Endpoint, load: Load) -> dict[str, object]:
    """The answer goes on to the last token that was asked for, whatever the model would say."""
    key = {"api_key": f"${{{KEY_VARIABLE}}}"} if endpoint.has_key else {}
    return {
        "url": endpoint.url,
        "type": "chat",
        "streaming": True,
        "use_server_token_count": True,
        "timeout": endpoint.timeout_s,
        "extra": {"ignore_eos": True, "min_tokens": load.output_tokens},
        **key,
    }


def build_warmup(load: Load, requests: int) -> dict[str, object]:
    """Opens the connections, and lets the engine compile what it compiles at first."""
    return {
        "name": "warmup",
        "type": "concurrency",
        "concurrency": requests,
        "requests": requests,
        "exclude_from_results": True,
    }


def build_phase(load: Load) -> dict[str, object]:
    pace: dict[str, object] = {"type": "concurrency", "concurrency": load.concurrency}
    if load.rate_per_s:
        bound = {"concurrency": load.concurrency} if load.concurrency else {}
        pace = {"type": "poisson", "rate": load.rate_per_s, **bound}
    return {"name": PROFILING, "requests": load.prompts, **pace}


class AiperfError(BaseModel):
    model_config = ConfigDict(extra="ignore")

    code: int | None = None
    type: str | None = None
    message: str | None = None


class AiperfMetadata(BaseModel):
    model_config = ConfigDict(extra="ignore")

    benchmark_phase: str
    request_start_ns: int
    request_end_ns: int | None = None
    was_cancelled: bool = False


class AiperfValue(BaseModel):
    model_config = ConfigDict(extra="ignore")

    value: float | list[float] | None


class AiperfRecord(BaseModel):
    """A line of profile_export.jsonl, as far as it is used."""

    model_config = ConfigDict(extra="ignore")

    metadata: AiperfMetadata
    metrics: dict[str, AiperfValue] = {}
    error: AiperfError | None = None

    def get_number(self, name: str) -> float | None:
        value = self.metrics[name].value if name in self.metrics else None
        return value if isinstance(value, float) else None

    def get_seconds(self, name: str) -> float | None:
        number = self.get_number(name)
        return None if number is None else number * MILLI

    def get_count(self, name: str) -> int:
        return int(self.get_number(name) or 0)


def parse_records(lines: Iterable[str], load: Load) -> tuple[RequestRecord, ...]:
    """By start. A last line that a killed driver left unfinished is left out."""
    records = [record for record in map(parse_line, lines) if record is not None]
    measured = [record for record in records if record.metadata.benchmark_phase == PROFILING]
    measured.sort(key=lambda record: record.metadata.request_start_ns)
    first_ns = measured[0].metadata.request_start_ns if measured else 0
    return tuple(convert_record(record, load, first_ns) for record in measured)


def parse_line(line: str) -> AiperfRecord | None:
    try:
        return AiperfRecord.model_validate(json.loads(line))
    except (ValueError, ValidationError):
        return None


def convert_record(record: AiperfRecord, load: Load, first_ns: int) -> RequestRecord:
    output_tokens = record.get_count("output_sequence_length")
    metadata = record.metadata
    end_ns = metadata.request_end_ns or metadata.request_start_ns
    latency_s = record.get_seconds("request_latency")
    gaps = record.metrics.get("inter_chunk_latency")
    gaps_ms = gaps.value if gaps and isinstance(gaps.value, list) else []
    outcome = judge_outcome(record, output_tokens, load)
    return RequestRecord(
        start_s=(metadata.request_start_ns - first_ns) * NANO,
        e2e_s=(end_ns - metadata.request_start_ns) * NANO if latency_s is None else latency_s,
        ttft_s=record.get_seconds("time_to_first_token"),
        gaps_s=tuple(gap_ms * MILLI for gap_ms in gaps_ms),
        input_tokens=record.get_count("input_sequence_length") or None,
        output_tokens=output_tokens,
        reasoning_tokens=record.get_count("reasoning_token_count"),
        outcome=outcome,
        error=describe_error(record) if outcome == "failed" else None,
    )


def judge_outcome(record: AiperfRecord, output_tokens: int, load: Load) -> Outcome:
    error = record.error
    if error is not None and error.type == EMPTY_ANSWER:
        return "empty"
    if error is not None or record.metadata.was_cancelled:
        return "failed"
    if not output_tokens:
        return "empty"
    return "answered" if output_tokens >= load.output_tokens else "short"


def describe_error(record: AiperfRecord) -> str:
    """The server's own words, without what a client's library wraps around them."""
    error = record.error
    if error is None:
        return "ended with the run"
    message = find_server_message(error.message or "")
    name = " ".join(str(word) for word in (error.code, error.type) if word)
    return f"{name}: {message}"[:MESSAGE_LENGTH] if message else name[:MESSAGE_LENGTH]


def find_server_message(text: str) -> str:
    """
    >>> find_server_message('{"error": {"message": "the engine is busy"}}')
    'the engine is busy'
    >>> find_server_message("ClientPayloadError('cut')")
    "ClientPayloadError('cut')"
    """
    try:
        document = json.loads(text)
    except ValueError:
        return text.strip()
    inner = document.get("error", document) if isinstance(document, Mapping) else document
    message = inner.get("message") if isinstance(inner, Mapping) else None
    return str(message or text).strip()
