"""aiperf's configuration from a load, and its records read back as it wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkform.bench import aiperf
from sparkform.bench.load import Load
from sparkform.bench.requests import RequestRecord

LOAD = Load(profile="quick", prompts=14, input_tokens=64, output_tokens=10, concurrency=2)
ENDPOINT = aiperf.Endpoint("http://10.0.0.1:8000", "tiny/known", "tiny/known")
RECORDED = Path(__file__).parents[2] / "data" / "bench" / "aiperf-0.13.0.jsonl"


def build(load: Load = LOAD, endpoint: aiperf.Endpoint = ENDPOINT) -> dict[str, Any]:
    config: dict[str, Any] = aiperf.build_config(load, endpoint, "/tmp/out")["benchmark"]  # type: ignore[assignment]
    return config


def read_recorded() -> tuple[RequestRecord, ...]:
    return aiperf.parse_records(RECORDED.read_text().splitlines(), LOAD)


def test_prompts_have_exact_lengths_and_none_is_sent_twice() -> None:
    config = build()
    assert config["dataset"]["prompts"]["isl"] == {"mean": 64, "stddev": 0}
    warmup, profiling = config["phases"]
    assert config["dataset"]["entries"] == warmup["requests"] + profiling["requests"] == 16
    assert (profiling["type"], profiling["concurrency"]) == ("concurrency", 2)
    assert "prefix_prompts" not in config["dataset"]


def test_a_shared_prefix_is_part_of_the_length() -> None:
    dataset = build(LOAD.model_copy(update={"shared_prefix_tokens": 48}))["dataset"]
    assert dataset["prefix_prompts"] == {"shared_system_length": 48}
    assert dataset["prompts"]["isl"]["mean"] == 16


def test_a_rate_sends_at_random_times_with_the_bound_that_is_given() -> None:
    rate = LOAD.model_copy(update={"rate_per_s": 2.0, "concurrency": None})
    assert build(rate)["phases"][1] == {
        **{"name": "profiling", "requests": 14, "type": "poisson", "rate": 2.0},
    }
    bounded = LOAD.model_copy(update={"rate_per_s": 2.0})
    assert build(bounded)["phases"][1]["concurrency"] == 2


def test_the_key_is_named_and_never_written() -> None:
    assert "api_key" not in build()["endpoint"]
    config = build(endpoint=aiperf.Endpoint("http://a", "b", "c", has_key=True))
    assert config["endpoint"]["api_key"] == "${SPARKFORM_BENCH_API_KEY}"


def test_recorded_requests_are_read_by_outcome() -> None:
    outcomes = [request.outcome for request in read_recorded()]
    assert len(outcomes) == 14
    counts = {name: outcomes.count(name) for name in ("answered", "short", "empty", "failed")}
    assert counts == {"answered": 6, "short": 2, "empty": 2, "failed": 4}


def test_times_and_tokens_are_those_of_the_records() -> None:
    recorded = read_recorded()
    assert recorded[0].start_s == 0.0
    assert all(request.start_s >= 0 for request in recorded)
    answered = [request for request in recorded if request.outcome == "answered"]
    assert {request.output_tokens for request in answered} == {10}
    assert {len(request.gaps_s) for request in answered} == {9}
    for request in answered:
        assert request.ttft_s == pytest.approx(0.21, abs=0.03)
        assert request.e2e_s == pytest.approx(0.655, abs=0.02)


def test_reasoning_is_output_and_its_first_token_ends_the_wait() -> None:
    thinking = [request for request in read_recorded() if request.reasoning_tokens]
    assert [(request.output_tokens, request.reasoning_tokens) for request in thinking] == [
        (10, 5),
        (10, 5),
    ]
    assert all(request.ttft_s is not None and request.ttft_s < 0.25 for request in thinking)


def test_errors_are_in_the_servers_words() -> None:
    errors = {request.error for request in read_recorded() if request.error}
    assert "500 Internal Server Error: the engine is busy" in errors
    assert any(error.startswith("ClientPayloadError") for error in errors)


def test_the_warm_up_and_half_a_line_are_left_out() -> None:
    lines = RECORDED.read_text().splitlines()
    assert json.loads(lines[0])["metadata"]["benchmark_phase"] == "warmup"
    cut = [*lines, lines[-1][:100]]
    assert aiperf.parse_records(cut, LOAD) == read_recorded()
    assert aiperf.parse_records([], LOAD) == ()
