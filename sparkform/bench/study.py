"""The same models in two environments, run in turns: memory, KV cache, throughput. Pure.

The question and its tables are those of a published study of TensorRT-LLM on one Spark: native
against container, three models, ten runs each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from sparkform.bench.estimates import Difference, MeanEstimate, compare_samples

NATIVE, CONTAINER = "native", "container"


@dataclass(frozen=True)
class EnvironmentFigures:
    """What the runs of a model in one environment came to; None where it was not measured."""

    throughput_tok_s: MeanEstimate
    memory_peak_gib: MeanEstimate | None = None
    cache_gib: MeanEstimate | None = None


@dataclass(frozen=True)
class StudiedModel:
    model: str
    native: EnvironmentFigures
    container: EnvironmentFigures


@dataclass(frozen=True)
class StudyRow:
    """Container minus native. `cache_ratio`: how many times more cache native has; throughput is
    judged by Welch's test."""

    model: str
    memory_overhead_gib: float | None
    memory_overhead_share: float | None
    memory_difference: Difference | None
    cache_difference_gib: float | None
    cache_ratio: float | None
    throughput_difference: Difference
    throughput_native_gain: float


@dataclass(frozen=True)
class Finding:
    """A row of the study's summary. `winner` is an environment, "identical" or "undecided"."""

    metric: str
    native: str
    container: str
    winner: str


def analyse_model(studied: StudiedModel) -> StudyRow:
    native, container = studied.native, studied.container
    memory = _subtract(native.memory_peak_gib, container.memory_peak_gib)
    cache = _subtract(native.cache_gib, container.cache_gib)
    native_tok_s = native.throughput_tok_s.mean
    container_tok_s = container.throughput_tok_s.mean
    return StudyRow(
        model=studied.model,
        memory_overhead_gib=memory.difference if memory else None,
        memory_overhead_share=memory.relative if memory else None,
        memory_difference=memory,
        cache_difference_gib=cache.difference if cache else None,
        cache_ratio=native.cache_gib.mean / container.cache_gib.mean
        if native.cache_gib and container.cache_gib and container.cache_gib.mean
        else None,
        throughput_difference=compare_samples(native.throughput_tok_s, container.throughput_tok_s),
        throughput_native_gain=native_tok_s / container_tok_s - 1 if container_tok_s else 0.0,
    )


def _subtract(native: MeanEstimate | None, container: MeanEstimate | None) -> Difference | None:
    return compare_samples(native, container) if native and container else None


def list_findings(models: Sequence[StudiedModel]) -> tuple[Finding, ...]:
    """Over all models, as the study sums up: overhead of memory, cache, throughput."""
    rows = [analyse_model(studied) for studied in models]
    return (
        *_find_memory(rows),
        *_find_cache(models, rows),
        _find_throughput(models, rows),
    )


def _find_memory(rows: Sequence[StudyRow]) -> Iterator[Finding]:
    overheads = [row.memory_overhead_gib for row in rows if row.memory_overhead_gib is not None]
    if overheads:
        winner = _choose_winner([-overhead for overhead in overheads])
        text = _format_range(overheads, 0, "GiB", sign=True)
        yield Finding("memory overhead", "baseline", text, winner)


def _find_cache(models: Sequence[StudiedModel], rows: Sequence[StudyRow]) -> Iterator[Finding]:
    ratios = [row.cache_ratio for row in rows if row.cache_ratio is not None]
    if not ratios:
        return
    texts = [
        _format_range([cache.mean for cache in caches if cache], 0, "GiB")
        for caches in (
            [studied.native.cache_gib for studied in models],
            [studied.container.cache_gib for studied in models],
        )
    ]
    winner = _choose_winner([1 - ratio for ratio in ratios])
    more = _format_range(ratios, 1, "times")
    yield Finding("KV cache", f"{texts[0]} ({more} as much)", texts[1], winner)


def _find_throughput(models: Sequence[StudiedModel], rows: Sequence[StudyRow]) -> Finding:
    native, container = (
        _format_range([figures.throughput_tok_s.mean for figures in environment], 0, "tok/s")
        for environment in (
            [studied.native for studied in models],
            [studied.container for studied in models],
        )
    )
    verdicts = [row.throughput_difference.is_noise for row in rows]
    winner = "identical"
    if None in verdicts:
        winner = "undecided"
    elif not all(verdicts):
        gains = [row.throughput_native_gain for row in rows]
        winner = NATIVE if fmean(gains) > 0 else CONTAINER
    return Finding("throughput", native, container, winner)


def _choose_winner(container_advantages: Sequence[float]) -> str:
    if all(advantage < 0 for advantage in container_advantages):
        return NATIVE
    return CONTAINER if all(advantage > 0 for advantage in container_advantages) else "undecided"


def _format_range(values: Sequence[float], digits: int, unit: str, sign: bool = False) -> str:
    form = f"{'+' if sign else ''}.{digits}f"
    low, high = (format(value, form) for value in (min(values), max(values)))
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
