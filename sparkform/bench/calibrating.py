"""A result as measurements that a rack's calibration is made of. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from sparkform.bench.result import BenchmarkResult, Mark, Measurement, Run
from sparkform.sizing.rack_calibration import MeasuredSpeed

UNFIT: frozenset[Mark] = frozenset({"even-so", "interrupted", "stand-in"})
"""Results with such a mark say nothing of a healthy Spark."""


def list_measured(result: BenchmarkResult) -> tuple[MeasuredSpeed, ...]:
    """One of each run that was predicted: nothing of an unfit result."""
    if UNFIT.intersection(result.marks):
        return ()
    return tuple(chain.from_iterable(_list_runs(result, each) for each in result.measurements))


def _list_runs(result: BenchmarkResult, measurement: Measurement) -> Iterator[MeasuredSpeed]:
    for run in measurement.runs:
        measured = _build_measured(result, measurement, run)
        if measured is not None:
            yield measured


def _build_measured(
    result: BenchmarkResult, measurement: Measurement, run: Run
) -> MeasuredSpeed | None:
    identity, load, expected = result.identity, measurement.load, measurement.expected
    users, first = run.metrics.user_tok_s, run.metrics.ttft_ms
    is_known = expected is not None and users is not None and first is not None
    if not is_known or load.concurrency is None or identity.quantisation is None:
        return None
    assert expected is not None
    assert users is not None
    assert first is not None
    return MeasuredSpeed(
        hardware=identity.hardware,
        engine=identity.engine,
        build=identity.build,
        quantisation=identity.quantisation,
        model=identity.model,
        nodes=len(identity.nodes),
        tensor_parallel=identity.tensor_parallel,
        pipeline_parallel=identity.pipeline_parallel,
        concurrency=load.concurrency,
        input_tokens=load.input_tokens,
        output_tokens=load.output_tokens,
        measured_tok_s=users.mean,
        predicted_tok_s=expected.user_tok_s,
        measured_ttft_ms=first.mean,
        predicted_ttft_ms=expected.ttft_ms,
        measured_unix_s=run.started_unix_s,
    )
