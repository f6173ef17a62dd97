"""Results of the same models in two environments, as the study compares them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sparkform.bench.estimates import summarize
from sparkform.bench.result import BenchmarkResult, Run
from sparkform.bench.study import CONTAINER, NATIVE, EnvironmentFigures, StudiedModel
from sparkform.errors import InputError, Problem

ENVIRONMENTS = {"native": NATIVE, "container": CONTAINER, "swarm": CONTAINER}
"""By runtime: the Swarm's ranks are containers."""


def list_comparable(results: Sequence[BenchmarkResult]) -> list[BenchmarkResult]:
    """Those of models that have results in both environments."""
    return [
        result
        for result in results
        if all(
            _list_runs(result.identity.model, environment, results)
            for environment in (NATIVE, CONTAINER)
        )
    ]


def group_results(results: Sequence[BenchmarkResult]) -> tuple[StudiedModel, ...]:
    """Raises InputError where a model lacks an environment, or has loads that differ."""
    models = list(dict.fromkeys(result.identity.model for result in results))
    problems = [problem for model in models for problem in _find_problems(model, results)]
    if problems:
        raise InputError(problems)
    return tuple(
        StudiedModel(
            model,
            sum_up_environment(_list_runs(model, NATIVE, results)),
            sum_up_environment(_list_runs(model, CONTAINER, results)),
        )
        for model in models
    )


def _find_problems(model: str, results: Sequence[BenchmarkResult]) -> Iterable[Problem]:
    for environment in (NATIVE, CONTAINER):
        if not _list_runs(model, environment, results):
            remedy = f"measure it with the runtime {environment} too"
            yield Problem(path=model, message=f"has no result in {environment}", remedy=remedy)
    loads = {
        measurement.load.label
        for result in results
        if result.identity.model == model
        for measurement in result.measurements
    }
    if len(loads) > 1:
        got = ", ".join(sorted(loads))
        yield Problem(path=model, message="was measured by loads that differ", got=got)


def _list_runs(model: str, environment: str, results: Sequence[BenchmarkResult]) -> list[Run]:
    return [
        run
        for result in results
        if result.identity.model == model
        and ENVIRONMENTS.get(result.identity.runtime) == environment
        for measurement in result.measurements
        for run in measurement.runs
    ]


def sum_up_environment(runs: Sequence[Run]) -> EnvironmentFigures:
    """Of the fullest node; a figure that no run has is None."""
    speeds = summarize([run.metrics.output_tok_s for run in runs])
    assert speeds is not None, "an environment has runs"
    peaks = [max(known) for run in runs if (known := _list_peaks(run))]
    caches = [run.served.cache_gib for run in runs if run.served.cache_gib is not None]
    return EnvironmentFigures(speeds, summarize(peaks), summarize(caches))


def _list_peaks(run: Run) -> list[float]:
    return [node.memory_peak_gib for node in run.nodes if node.memory_peak_gib is not None]
