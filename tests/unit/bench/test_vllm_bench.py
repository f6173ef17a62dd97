"""`vllm bench serve`'s words, and its result read back as its own sums say.

The results are constructed in the form that vllm/benchmarks/serve.py writes, with the totals that
its calculate_metrics computes; no recording of a real run is here.
"""

from __future__ import annotations

import json
from statistics import fmean
from typing import Any

import pytest

from sparkform.bench.load import Load
from sparkform.bench.metrics import compute_metrics
from sparkform.bench.vllm_bench import build_arguments, parse_result

LOAD = Load(profile="own", prompts=4, input_tokens=64, output_tokens=5, concurrency=2, seed=7)
STARTED_S = 81_234.5
"""time.perf_counter(): of no epoch."""


def build_document(**changes: Any) -> dict[str, Any]:
    """Four requests, two at a time."""
    ttfts, gaps = [0.5, 0.75, 0.25, 0.5], [0.1, 0.05, 0.125, 0.1]
    itls = [[gap] * 4 for gap in gaps]
    latencies = [ttft + sum(itl) for ttft, itl in zip(ttfts, itls, strict=True)]
    starts = [0.0, 0.0, latencies[0], latencies[1]]
    duration_s = max(start + latency for start, latency in zip(starts, latencies, strict=True))
    document = {
        "backend": "openai-chat",
        "num_prompts": 4,
        "duration": duration_s,
        "completed": 4,
        "failed": 0,
        "input_lens": [64] * 4,
        "output_lens": [5] * 4,
        "ttfts": ttfts,
        "itls": itls,
        "latencies": latencies,
        "start_times": [STARTED_S + start for start in starts],
        "errors": [""] * 4,
        "output_throughput": 20 / duration_s,
        "total_token_throughput": (4 * 64 + 20) / duration_s,
        "request_throughput": 4 / duration_s,
        "mean_ttft_ms": fmean(ttfts) * 1000,
        "mean_itl_ms": fmean([gap for itl in itls for gap in itl]) * 1000,
        "mean_tpot_ms": fmean(gaps) * 1000,
    }
    return document | changes


def test_its_own_sums_come_out_again() -> None:
    document = build_document()
    metrics = compute_metrics(parse_result(json.dumps(document), LOAD))
    assert metrics.duration_s == pytest.approx(document["duration"], rel=1e-9)
    assert metrics.output_tok_s == pytest.approx(document["output_throughput"], rel=1e-9)
    assert metrics.total_tok_s == pytest.approx(document["total_token_throughput"], rel=1e-9)
    assert metrics.request_rps == pytest.approx(document["request_throughput"], rel=1e-9)
    for name, distribution in (
        ("ttft", metrics.ttft_ms),
        ("itl", metrics.itl_ms),
        ("tpot", metrics.tpot_ms),
    ):
        assert distribution is not None
        assert distribution.mean == pytest.approx(document[f"mean_{name}_ms"], rel=1e-9)
    assert metrics.outcomes.answered == 4


def test_failed_empty_and_short_answers_are_told_apart() -> None:
    traceback = "Traceback (most recent call last):\n  File x\nValueError: Internal Server Error\n"
    document = build_document(
        output_lens=[5, 3, 0, 0],
        ttfts=[0.5, 0.75, 0.0, 0.0],
        itls=[[0.1] * 4, [0.05] * 2, [], []],
        latencies=[0.9, 0.85, 0.2, 0.0],
        errors=["", "", "", traceback],
    )
    requests = parse_result(json.dumps(document), LOAD)
    outcomes = {request.outcome: request for request in requests}
    assert set(outcomes) == {"answered", "short", "empty", "failed"}
    assert outcomes["failed"].error == "ValueError: Internal Server Error"
    assert outcomes["empty"].ttft_s is None


def test_an_older_result_without_latencies_is_summed_up() -> None:
    document = build_document()
    without = {key: value for key, value in document.items() if key != "latencies"}
    assert parse_result(json.dumps(without), LOAD) == parse_result(json.dumps(document), LOAD)


def test_a_request_that_never_began_does_not_move_the_others() -> None:
    document = build_document(errors=["", "", "", "refused"])
    document["start_times"][3] = 0.0
    requests = parse_result(json.dumps(document), LOAD)
    assert sorted(request.start_s for request in requests)[:2] == [0.0, 0.0]
    assert max(request.start_s for request in requests) < 1.0


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "{}",
        json.dumps(build_document(ttfts=[0.5])),
        json.dumps({key: value for key, value in build_document().items() if key != "itls"}),
    ],
)
def test_what_is_no_detailed_result_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no result with --save-detailed"):
        parse_result(text, LOAD)


def test_the_words_of_a_load() -> None:
    arguments = build_arguments(LOAD, "http://127.0.0.1:8000", "tiny/known", "/models/hub/x")
    assert " ".join(arguments) == (
        "--backend openai-chat --endpoint /v1/chat/completions --base-url http://127.0.0.1:8000 "
        "--model tiny/known --tokenizer /models/hub/x --dataset-name random --random-input-len 64 "
        "--random-output-len 5 --num-prompts 4 --seed 7 --ignore-eos --ready-check-timeout-sec 0 "
        "--disable-tqdm --max-concurrency 2"
    )


def test_a_rate_and_a_shared_prefix_have_words_of_their_own() -> None:
    load = Load(
        profile="own",
        prompts=4,
        input_tokens=64,
        output_tokens=5,
        rate_per_s=2.5,
        shared_prefix_tokens=48,
    )
    arguments = build_arguments(load, "http://127.0.0.1:8000", "tiny/known", "/models")
    assert arguments[-4:] == ["--request-rate", "2.5", "--random-prefix-len", "48"]
    assert arguments[arguments.index("--random-input-len") + 1] == "16"
    assert "--max-concurrency" not in arguments
