"""Results side by side: by how much they differ, and whether that is more than noise. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sparkform.bench.estimates import Difference, MeanEstimate, compare_samples
from sparkform.bench.load import Load
from sparkform.bench.metrics import Distribution
from sparkform.bench.result import BenchmarkResult, Measurement
from sparkform.errors import InputError, Problem

HIGHER_IS_BETTER = {"output_tok_s": True, "ttft_ms": False, "itl_ms": False, "e2e_ms": False}
NAMES = {
    "output_tok_s": "output tok/s",
    "ttft_ms": "TTFT ms",
    "itl_ms": "ITL ms",
    "e2e_ms": "end to end ms",
}


@dataclass(frozen=True, kw_only=True)
class ComparedMetric:
    """A metric of two results. `verdict` is one of the four words below."""

    load: str
    metric: str
    first: float
    second: float
    difference: float
    half_width: float | None
    relative: float | None
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The second result against the first, load by load."""

    first: str
    second: str
    rows: tuple[ComparedMetric, ...]
    differs_in: tuple[str, ...]
    remarks: tuple[str, ...]

    def is_slower_by(self, share: float) -> bool:
        """Whether a throughput fell by more than this share, and by more than noise."""
        return any(
            row.metric == NAMES["output_tok_s"]
            and row.verdict != WITHIN_NOISE
            and row.relative is not None
            and row.relative < -share
            for row in self.rows
        )


WITHIN_NOISE, UNKNOWN_NOISE = "within the noise", "spread unknown"
BETTER, WORSE = "better", "worse"


def compare_results(
    first: BenchmarkResult, second: BenchmarkResult, names: tuple[str, str]
) -> Comparison:
    """Raises InputError where they have no load in common."""
    pairs = list(_pair_loads(first.measurements, second.measurements))
    if not pairs:
        loads = [", ".join(_list_labels(result.measurements)) for result in (first, second)]
        problem = Problem(
            path=names[1],
            message=f"has no load in common with {names[0]}",
            got=loads[1],
            allowed=loads[0],
        )
        raise InputError([problem])
    rows = (row for pair in pairs for row in _compare_measurements(*pair))
    return Comparison(
        first=names[0],
        second=names[1],
        rows=tuple(rows),
        differs_in=tuple(_list_differences(first, second)),
        remarks=tuple(_list_remarks(pairs, (first, second), names)),
    )


def _pair_loads(
    first: Sequence[Measurement], second: Sequence[Measurement]
) -> Iterator[tuple[Measurement, Measurement]]:
    """The number of prompts may differ, and the seed: what is asked of the service may not."""
    known = {_describe_traffic(measurement.load): measurement for measurement in first}
    for measurement in second:
        traffic = _describe_traffic(measurement.load)
        if traffic in known:
            yield known[traffic], measurement


def _describe_traffic(load: Load) -> tuple[object, ...]:
    lengths = (load.input_tokens, load.output_tokens, load.shared_prefix_tokens)
    return (*lengths, load.concurrency, load.rate_per_s)


def _compare_measurements(first: Measurement, second: Measurement) -> Iterator[ComparedMetric]:
    for metric, higher_is_better in HIGHER_IS_BETTER.items():
        values = _read_value(first, metric), _read_value(second, metric)
        if values[0] is None or values[1] is None:
            continue
        old, new = _read_sample(first, metric), _read_sample(second, metric)
        interval = compare_samples(old, new) if old and new else None
        difference = values[1] - values[0]
        yield ComparedMetric(
            load=second.load.label,
            metric=NAMES[metric],
            first=values[0],
            second=values[1],
            difference=difference,
            half_width=interval.half_width if interval else None,
            relative=difference / values[0] if values[0] else None,
            verdict=_judge(difference, interval, higher_is_better),
        )


def _read_value(measurement: Measurement, metric: str) -> float | None:
    """Over several runs their mean, else that of the run."""
    if len(measurement.runs) > 1:
        sample = _read_sample(measurement, metric)
        return sample.mean if sample else None
    value = getattr(measurement.runs[0].metrics, metric)
    return value.mean if isinstance(value, Distribution) else value


def _read_sample(measurement: Measurement, metric: str) -> MeanEstimate | None:
    sample: MeanEstimate | None = getattr(measurement.spread, metric)
    return sample


def _judge(difference: float, interval: Difference | None, higher_is_better: bool) -> str:
    if interval is None or interval.half_width is None:
        return UNKNOWN_NOISE
    if abs(difference) <= interval.half_width:
        return WITHIN_NOISE
    return BETTER if (difference > 0) == higher_is_better else WORSE


def _list_differences(first: BenchmarkResult, second: BenchmarkResult) -> Iterator[str]:
    """What else is not the same, in the words of the file."""
    old, new = (result.identity.model_dump(by_alias=True) for result in (first, second))
    for key, value in new.items():
        if value != old[key] and key != "nodes":
            yield f"{key}: {old[key]} and {value}"
    if first.driver != second.driver:
        yield f"driver: {first.driver} and {second.driver}"
    if first.identity.nodes != second.identity.nodes:
        yield "nodes"


def _list_remarks(
    pairs: Sequence[tuple[Measurement, Measurement]],
    results: tuple[BenchmarkResult, BenchmarkResult],
    names: tuple[str, str],
) -> Iterator[str]:
    if any(len(measurement.runs) < 2 for pair in pairs for measurement in pair):
        yield (
            "The spread is that within one run: how runs differ is not in it; --runs 3 measures "
            "that."
        )
    for name, result in zip(names, results, strict=True):
        if result.marks:
            yield f"{name} is marked {', '.join(result.marks)}."


def _list_labels(measurements: Sequence[Measurement]) -> list[str]:
    return [measurement.load.label for measurement in measurements]


def parse_share(path: str, text: str) -> float:
    """
    >>> parse_share("--fail-if-slower", "5%")
    0.05
    """
    number = text.removesuffix("%")
    try:
        percent = float(number)
    except ValueError:
        percent = -1.0
    if not 0 <= percent < 100:
        problem = Problem(path=path, message="is no share", got=text, allowed="0% to 99%, as 5%")
        raise InputError([problem])
    return percent / 100
