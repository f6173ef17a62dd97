"""The result folder: what is measured is in it at once, so that no end of a run takes it away."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from sparkform.bench.metrics import Distribution
from sparkform.bench.node_samples import NodeSample
from sparkform.bench.requests import RequestRecord
from sparkform.bench.result import BenchmarkResult
from sparkform.commands.bench.failure import BenchError
from sparkform.errors import InputError, Problem

RESULT, REQUESTS, SUMMARY, SAMPLES = (
    *("result.json", "requests.jsonl", "summary.csv", "samples.jsonl"),
)
LATENCIES = ("ttft_ms", "itl_ms", "tpot_ms", "e2e_ms", "user_tok_s")
SHARES = ("mean", "p50", "p90", "p95", "p99")
COLUMNS = (
    *("load", "run", "prompts", "input", "output", "concurrency", "rate_per_s"),
    *("output_tok_s", "total_tok_s", "request_rps", "goodput_rps"),
    *(f"{name}_{share}" for name in LATENCIES for share in SHARES),
    *("answered", "short", "empty", "failed", "tokens_per_joule", "memory_peak_gib"),
    *("cache_use_peak", "cache_gib", "cache_tokens", "draft_acceptance"),
    *("predicted_tok_s", "predicted_low_tok_s", "predicted_high_tok_s", "predicted_ttft_ms"),
)


class ResultFolder:
    """A new folder, or an empty one. Raises BenchError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            is_used = any(path.iterdir())
        except OSError as error:
            raise BenchError(explain_disk(path, error)) from None
        if is_used:
            remedy = "name another folder by --out"
            raise InputError([Problem(path=str(path), message="is not empty", remedy=remedy)])

    def append_requests(self, requests: Iterable[RequestRecord]) -> None:
        lines = (request.model_dump_json(by_alias=True, exclude_none=True) for request in requests)
        self._append(REQUESTS, lines)

    def append_samples(self, samples: Iterable[NodeSample], load: int, run: int) -> None:
        self._append(SAMPLES, (format_sample(sample, load, run) for sample in samples))

    def write_result(self, result: BenchmarkResult) -> None:
        self.write(RESULT, result.model_dump_json(by_alias=True, indent=1) + "\n")
        self.write(SUMMARY, format_summary(result))

    def write(self, name: str, text: str) -> None:
        write_file(self.path / name, text)

    def _append(self, name: str, lines: Iterable[str]) -> None:
        try:
            with open(self.path / name, "a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
        except OSError as error:
            raise BenchError(explain_disk(self.path / name, error)) from None


def write_file(path: Path, text: str) -> None:
    """The old file or the new one, at any moment. Raises BenchError."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        raise BenchError(explain_disk(path, error)) from None


def explain_disk(path: Path, error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    return f"{path} cannot be written ({reason}); what was measured before is kept."


def format_sample(sample: NodeSample, load: int, run: int) -> str:
    from node.host.typed_json import to_json

    document = {"node": sample.node, "atS": round(sample.at_s, 3), "load": load, "run": run}
    telemetry = to_json(sample.document.telemetry)
    return json.dumps({**document, "telemetry": telemetry})


def format_summary(result: BenchmarkResult) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in list_summary_rows(result):
        writer.writerow(["" if cell is None else cell for cell in row])
    return text.getvalue()


def list_summary_rows(result: BenchmarkResult) -> Iterator[Sequence[object]]:
    for measurement in result.measurements:
        load, expected = measurement.load, measurement.expected
        for number, run in enumerate(measurement.runs):
            metrics, outcomes = run.metrics, run.metrics.outcomes
            latencies = (getattr(metrics, name) for name in LATENCIES)
            peaks = [node.memory_peak_gib for node in run.nodes if node.memory_peak_gib]
            yield (
                *(load.profile, number, load.prompts, load.input_tokens, load.output_tokens),
                *(load.concurrency, load.rate_per_s, metrics.output_tok_s, metrics.total_tok_s),
                *(metrics.request_rps, metrics.goodput_rps),
                *(cell for latency in latencies for cell in list_shares(latency)),
                *(outcomes.answered, outcomes.short, outcomes.empty, outcomes.failed),
                *(run.tokens_per_joule, max(peaks, default=None), run.served.cache_use_peak),
                *(run.served.cache_gib, run.served.cache_tokens, run.served.draft_acceptance),
                *(
                    (expected.output_tok_s, expected.output_low_tok_s, expected.output_high_tok_s)
                    if expected
                    else (None, None, None)
                ),
                expected.ttft_ms if expected else None,
            )


def list_shares(distribution: Distribution | None) -> list[float | None]:
    return [getattr(distribution, share) if distribution else None for share in SHARES]


def load_result(path: Path) -> BenchmarkResult:
    """Of a result folder, or of its result.json. Raises InputError."""
    file = path / RESULT if path.is_dir() else path
    try:
        return BenchmarkResult.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot be read ({error.strerror})"
        remedy = "name a folder that `sparkform bench` wrote"
        raise InputError([Problem(path=str(file), message=message, remedy=remedy)]) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        location = ".".join(str(part) for part in first["loc"]) or "text"
        message = f"is no result of `sparkform bench`: {location}: {first['msg']}"
        raise InputError([Problem(path=str(file), message=message)]) from None
