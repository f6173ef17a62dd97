"""Every metric against a server whose latencies are known by its own clock, with the real driver.

Latencies are long and load is small, so that a busy machine measures itself as little as it can;
the truth is when the server's chunks left, not when they should have.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

import pytest

from sparkform.bench import aiperf
from sparkform.bench.load import Load
from sparkform.bench.metrics import Metrics, compute_metrics
from sparkform.bench.requests import RequestRecord
from sparkform.commands.bench.driver import AiperfDriver
from sparkform.commands.bench.environment import ensure_environment
from sparkform.commands.bench.tokenizer import NO_COMMIT, write_cache
from tests.support.known_latency import KnownServer, serve_known
from tests.support.known_latency_server import MODEL, ServedRequest, ServerPlan
from tests.support.known_tokenizer import build_tokenizer_files

pytestmark = pytest.mark.long

WITHIN = 0.02
LIMIT_S = 300.0


@pytest.fixture(scope="session")
def environment() -> Path:
    return ensure_environment(print)


@contextmanager
def drive(
    environment: Path, plan: ServerPlan, load: Load, folder: Path
) -> Iterator[tuple[tuple[RequestRecord, ...], KnownServer]]:
    write_cache(folder / "home", MODEL, NO_COMMIT, build_tokenizer_files())
    with serve_known(plan, folder) as server:
        endpoint = aiperf.Endpoint(server.url, MODEL, MODEL)
        driver = AiperfDriver(environment, endpoint, folder / "home")
        driven = driver.run(load, folder / "scratch", LIMIT_S, lambda ended: None)
        assert driven.ending == "complete", driven.why
        yield driven.requests, server


def measure_truth(served: list[ServedRequest]) -> dict[str, float]:
    """Of the server's log, without what the warm-up sent."""
    firsts = [request.chunks_s[0] - request.received_s for request in served]
    gaps = [
        later - earlier
        for request in served
        for earlier, later in zip(request.chunks_s, request.chunks_s[1:], strict=False)
    ]
    ends = [request.chunks_s[-1] - request.received_s for request in served]
    tokens = sum(len(request.chunks_s) for request in served)
    span_s = max(request.chunks_s[-1] for request in served) - served[0].received_s
    return {
        "ttft": fmean(firsts) * 1000,
        "itl": fmean(gaps) * 1000,
        "e2e": fmean(ends) * 1000,
        "tok_s": tokens / span_s,
    }


def read_measured(metrics: Metrics) -> dict[str, float]:
    assert metrics.ttft_ms
    assert metrics.itl_ms
    assert metrics.e2e_ms
    return {
        "ttft": metrics.ttft_ms.mean,
        "itl": metrics.itl_ms.mean,
        "e2e": metrics.e2e_ms.mean,
        "tok_s": metrics.output_tok_s,
    }


@pytest.mark.parametrize(
    ("concurrency", "prompts", "plan"),
    [
        (1, 4, ServerPlan(ttft_s=3.0, itl_s=0.3, tokens=8)),
        (8, 24, ServerPlan(ttft_s=3.0, itl_s=0.3, tokens=10)),
        (64, 128, ServerPlan(ttft_s=6.0, itl_s=0.6, tokens=10)),
    ],
)
def test_every_metric_is_within_two_percent_of_the_truth(
    environment: Path, tmp_path: Path, concurrency: int, prompts: int, plan: ServerPlan
) -> None:
    load = Load(
        profile="quick",
        prompts=prompts,
        input_tokens=64,
        output_tokens=plan.tokens,
        concurrency=concurrency,
    )
    with drive(environment, plan, load, tmp_path) as (requests, server):
        truth = measure_truth(server.read_log()[-prompts:])
        measured = read_measured(compute_metrics(requests))
    print(f"at {concurrency}: measured {measured}, truth {truth}")
    assert measured == pytest.approx(truth, rel=WITHIN)


def test_requests_are_counted_as_users_would(environment: Path, tmp_path: Path) -> None:
    kinds = ("answer", "error", "cut", "early", "empty", "reasoning", "tool")
    plan = ServerPlan(ttft_s=0.2, itl_s=0.02, tokens=10, kinds=kinds)
    load = Load(profile="quick", prompts=14, input_tokens=64, output_tokens=10, concurrency=1)
    with drive(environment, plan, load, tmp_path) as (requests, server):
        counts = compute_metrics(requests).outcomes
        served = server.read_log()[-14:]
    assert counts.sent == len(served) == 14
    assert (counts.answered, counts.short, counts.empty, counts.failed) == (6, 2, 2, 4)
    assert counts.reasoning_tokens == 10
    assert counts.errors["500 Internal Server Error: the engine is busy"] == 2
    tools = [request for request, kind in zip(requests, served, strict=True) if kind.kind == "tool"]
    assert [request.output_tokens for request in tools] == [10, 10]
