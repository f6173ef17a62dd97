"""What the requests of one run come to. Pure: the same sums for each driver, and for what was
measured before a run was ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from sparkform.bench.estimates import MeanEstimate, compute_percentiles, summarize
from sparkform.bench.load import Goodput, Load
from sparkform.bench.record import BenchRecord
from sparkform.bench.requests import RequestRecord, is_good

MILLI = 1000.0


class Distribution(BenchRecord):
    """Of requests, in milliseconds or tokens a second."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float


class OutcomeCounts(BenchRecord):
    """How the requests ended; `reasoning_tokens` is a sum over them."""

    sent: int
    answered: int
    short: int
    empty: int
    failed: int
    reasoning_tokens: int
    errors: dict[str, int]


class Metrics(BenchRecord):
    """What one run came to, from the first request's start to the last one's end.

    TTFT: until the first token of any kind. ITL: between two chunks, over all of all requests.
    TPOT: (end to end - TTFT) / (tokens - 1). `user_tok_s`: tokens a second of one request
    after its first. `goodput_rps`: requests a second that kept all limits.
    """

    duration_s: float
    input_tok_s: float
    output_tok_s: float
    total_tok_s: float
    request_rps: float
    goodput_rps: float | None
    ttft_ms: Distribution | None
    itl_ms: Distribution | None
    tpot_ms: Distribution | None
    e2e_ms: Distribution | None
    user_tok_s: Distribution | None
    input_tokens_mean: float | None
    output_tokens_mean: float | None
    outcomes: OutcomeCounts


class RunSpread(BenchRecord):
    """Means over parts of one run, or over several runs, for comparisons."""

    output_tok_s: MeanEstimate | None
    ttft_ms: MeanEstimate | None
    itl_ms: MeanEstimate | None
    e2e_ms: MeanEstimate | None


def compute_metrics(requests: Sequence[RequestRecord], goodput: Goodput | None = None) -> Metrics:
    """Latencies are those of requests with an answer; tokens are all that came."""
    duration_s = measure_duration(requests)
    answers = [request for request in requests if request.has_answer]
    good = None if goodput is None else sum(is_good(request, goodput) for request in requests)
    outputs = sum(request.output_tokens for request in requests)
    inputs = sum(request.input_tokens or 0 for request in answers)
    return Metrics(
        duration_s=duration_s,
        input_tok_s=_divide(inputs, duration_s),
        output_tok_s=_divide(outputs, duration_s),
        total_tok_s=_divide(inputs + outputs, duration_s),
        request_rps=_divide(len(answers), duration_s),
        goodput_rps=None if good is None else _divide(good, duration_s),
        ttft_ms=_distribute(answers, lambda request: request.ttft_s, MILLI),
        itl_ms=_distribute_values(
            [gap_s * MILLI for request in answers for gap_s in request.gaps_s]
        ),
        tpot_ms=_distribute(answers, lambda request: request.tpot_s, MILLI),
        e2e_ms=_distribute(answers, lambda request: request.e2e_s, MILLI),
        user_tok_s=_distribute(answers, lambda request: request.tok_s, 1.0),
        input_tokens_mean=_average([request.input_tokens for request in answers]),
        output_tokens_mean=_average([request.output_tokens for request in answers]),
        outcomes=count_outcomes(requests),
    )


def count_outcomes(requests: Sequence[RequestRecord]) -> OutcomeCounts:
    counts = Counter(request.outcome for request in requests)
    return OutcomeCounts(
        sent=len(requests),
        answered=counts["answered"],
        short=counts["short"],
        empty=counts["empty"],
        failed=counts["failed"],
        reasoning_tokens=sum(request.reasoning_tokens for request in requests),
        errors=dict(Counter(request.error for request in requests if request.error)),
    )


def measure_duration(requests: Sequence[RequestRecord]) -> float:
    if not requests:
        return 0.0
    first = min(request.start_s for request in requests)
    return max(request.end_s for request in requests) - first


def measure_waves(requests: Sequence[RequestRecord], load: Load) -> RunSpread:
    """The spread within one run. Requests that are open at once share their fate, so as many as
    that are taken together and count once (batch means); the last, smaller wave is left out."""
    answers = sorted(
        (request for request in requests if request.has_answer), key=lambda request: request.start_s
    )
    size = load.concurrency or 1
    waves = [answers[start : start + size] for start in range(0, len(answers), size)]
    full = [wave for wave in waves if len(wave) == size]
    return RunSpread(
        output_tok_s=None
        if load.rate_per_s
        else summarize([_measure_wave_speed(wave) for wave in full]),
        ttft_ms=_summarize_means(full, lambda request: request.ttft_s),
        itl_ms=_summarize_means(full, lambda request: request.itl_s),
        e2e_ms=_summarize_means(full, lambda request: request.e2e_s),
    )


def measure_runs(runs: Sequence[Metrics]) -> RunSpread:
    """The spread between runs of the same load."""

    def take(name: str) -> MeanEstimate | None:
        pairs = [getattr(run, name) for run in runs]
        return summarize([pair.mean for pair in pairs if isinstance(pair, Distribution)])

    return RunSpread(
        output_tok_s=summarize([run.output_tok_s for run in runs]),
        ttft_ms=take("ttft_ms"),
        itl_ms=take("itl_ms"),
        e2e_ms=take("e2e_ms"),
    )


def _measure_wave_speed(wave: Sequence[RequestRecord]) -> float:
    """Tokens a second of a wave that is always full: its tokens by the mean time they took."""
    tokens = sum(request.output_tokens for request in wave)
    return _divide(tokens, fmean(request.e2e_s or 0.0 for request in wave))


def _summarize_means(
    waves: Sequence[Sequence[RequestRecord]], read: Callable[[RequestRecord], float | None]
) -> MeanEstimate | None:
    means = [_average([read(request) for request in wave]) for wave in waves]
    return summarize([mean * MILLI for mean in means if mean is not None])


def _distribute(
    requests: Sequence[RequestRecord], read: Callable[[RequestRecord], float | None], factor: float
) -> Distribution | None:
    return _distribute_values(
        [value * factor for request in requests if (value := read(request)) is not None]
    )


def _distribute_values(values: Sequence[float]) -> Distribution | None:
    if not values:
        return None
    ranked = compute_percentiles(values)
    return Distribution(
        mean=fmean(values), p50=ranked[49], p90=ranked[89], p95=ranked[94], p99=ranked[98]
    )


def _average(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


def _divide(amount: float, duration_s: float) -> float:
    return amount / duration_s if duration_s else 0.0
