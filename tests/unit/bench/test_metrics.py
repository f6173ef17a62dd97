"""Metrics of requests whose times are known."""

from __future__ import annotations

import pytest

from sparkform.bench.load import Goodput, Load
from sparkform.bench.metrics import compute_metrics, measure_runs, measure_waves
from tests.support.bench_results import LOAD, build_request, build_requests


def test_each_metric_is_what_the_times_say() -> None:
    metrics = compute_metrics([build_request(0.0), build_request(1.0)])
    assert metrics.duration_s == pytest.approx(2.0)
    assert metrics.output_tok_s == pytest.approx(11.0)
    assert metrics.total_tok_s == pytest.approx((22 + 256) / 2)
    assert metrics.request_rps == pytest.approx(1.0)
    assert metrics.ttft_ms is not None
    assert metrics.ttft_ms.p99 == pytest.approx(500.0)
    assert metrics.itl_ms is not None
    assert metrics.itl_ms.mean == pytest.approx(50.0)
    assert metrics.tpot_ms is not None
    assert metrics.tpot_ms.p50 == pytest.approx(50.0)
    assert metrics.user_tok_s is not None
    assert metrics.user_tok_s.mean == pytest.approx(20.0)


def test_percentiles_are_of_requests_and_those_between_tokens_of_all_chunks() -> None:
    requests = [build_request(0.0, ttft_s=n / 100, gaps_s=(n / 1000,)) for n in range(1, 102)]
    metrics = compute_metrics(requests)
    assert metrics.ttft_ms is not None
    assert metrics.itl_ms is not None
    assert metrics.ttft_ms.p90 == pytest.approx(910.0)
    assert metrics.itl_ms.p95 == pytest.approx(96.0)


def test_failed_and_empty_requests_have_no_latency_and_lower_the_speed() -> None:
    failed = build_request(0.0, outcome="failed", output_tokens=0, ttft_s=None, error="500: busy")
    empty = build_request(1.0, outcome="empty", output_tokens=0, ttft_s=None, gaps_s=())
    metrics = compute_metrics([build_request(0.0), failed, empty, build_request(1.0)])
    counts = metrics.outcomes
    assert (counts.sent, counts.answered, counts.empty, counts.failed) == (4, 2, 1, 1)
    assert counts.errors == {"500: busy": 1}
    assert metrics.output_tok_s == pytest.approx(11.0)
    assert metrics.request_rps == pytest.approx(1.0)


def test_short_answers_count_with_the_tokens_that_came() -> None:
    metrics = compute_metrics([build_request(0.0, outcome="short", output_tokens=5)])
    assert metrics.outcomes.short == 1
    assert metrics.output_tok_s == pytest.approx(5.0)


def test_goodput_counts_those_that_keep_all_limits() -> None:
    slow = build_request(0.0, 2.0, e2e_s=1.0)
    metrics = compute_metrics([build_request(0.0), slow], Goodput(ttft=600, itl=60))
    assert metrics.goodput_rps == pytest.approx(1.0)
    assert compute_metrics([build_request()]).goodput_rps is None


def test_of_no_requests_nothing_is_known() -> None:
    metrics = compute_metrics([])
    assert (metrics.duration_s, metrics.output_tok_s, metrics.ttft_ms) == (0.0, 0.0, None)


def test_waves_count_once_and_the_last_smaller_one_not_at_all() -> None:
    requests = [*build_requests((1.0, 1.2)), build_request(9.0, 5.0)]
    spread = measure_waves(requests, LOAD)
    assert spread.ttft_ms is not None
    assert spread.ttft_ms.count == 2
    assert spread.ttft_ms.mean == pytest.approx(550.0)
    assert spread.output_tok_s is not None
    assert spread.output_tok_s.mean == pytest.approx((22 / 1.0 + 22 / 1.2) / 2)


def test_a_rate_says_nothing_of_the_speed() -> None:
    load = Load(profile="latency", prompts=4, input_tokens=8, output_tokens=11, rate_per_s=1.0)
    assert measure_waves(build_requests(size=1), load).output_tok_s is None


def test_runs_have_a_spread_between_them() -> None:
    runs = [compute_metrics(build_requests((slowness,))) for slowness in (1.0, 1.1, 0.9)]
    spread = measure_runs(runs)
    assert spread.output_tok_s is not None
    assert spread.output_tok_s.count == 3
    assert spread.output_tok_s.deviation == pytest.approx(2.22, abs=0.05)
