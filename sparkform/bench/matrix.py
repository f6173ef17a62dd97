"""A matrix: services that are measured one after the other, and how far it is. Pure.

Each cell is one `up` of the stack with one service, and one benchmark of it. The record is written
before and after each, so that a killed run goes on where it was.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import NonNegativeInt, PositiveInt

from sparkform.bench.load import Load
from sparkform.bench.record import BenchRecord
from sparkform.bench.result import BenchmarkResult, Expectation, Mark

CellState = Literal["planned", "running", "measured", "failed", "skipped"]
Stage = Literal["up", "bench"]
Restoration = Literal["none", "pending", "done", "failed"]
FORM: Final = 1


class MatrixQuestion(BenchRecord):
    """What was asked for. The same question goes on where an earlier run of it was ended, so the
    seed is not part of it."""

    stack: str
    service: str
    models: tuple[str, ...]
    runtimes: tuple[str, ...]
    rounds: PositiveInt
    load: Load
    runs: PositiveInt
    single_node: bool
    skip_token: bool
    cool_to_c: float


class CellFigures(BenchRecord):
    """What a cell came to; None where it is not known. Latencies are end to end, but for TTFT."""

    output_tok_s: float
    total_tok_s: float
    latency_mean_ms: float | None
    latency_p99_ms: float | None
    ttft_p50_ms: float | None
    ttft_p99_ms: float | None
    itl_p50_ms: float | None
    memory_peak_gib: float | None
    cache_gib: float | None
    tokens_per_joule: float | None
    answered: NonNegativeInt
    sent: NonNegativeInt
    marks: tuple[Mark, ...] = ()


class MatrixCell(BenchRecord):
    """`block` is its service in the stack file, None where it cannot be served. `cause`: why it
    failed or was skipped, in one line. `round` counts from 1 where models are measured in turns."""

    number: PositiveInt
    model: str
    runtime: str
    round: PositiveInt = 1
    nodes: tuple[str, ...] = ()
    weights_gib: float | None = None
    free_gib: float | None = None
    expected: Expectation | None = None
    block: dict[str, object] | None = None
    state: CellState = "planned"
    failed_at: Stage | None = None
    cause: str | None = None
    attempts: NonNegativeInt = 0
    folder: str | None = None
    figures: CellFigures | None = None


class MatrixRecord(BenchRecord):
    """The content of matrix.json. `restoration`: of the stack as it was declared before."""

    form: Literal[1] = FORM
    created_unix_s: float
    sparkform_version: str
    question: MatrixQuestion
    seed: int
    cells: tuple[MatrixCell, ...]
    restoration: Restoration = "none"
    restoration_cause: str | None = None

    @property
    def is_unfinished(self) -> bool:
        has_more = any(cell.state in ("planned", "running") for cell in self.cells)
        return has_more or self.restoration in ("pending", "failed")

    def count(self, state: CellState) -> int:
        return sum(cell.state == state for cell in self.cells)


def replace_cell(record: MatrixRecord, changed: MatrixCell) -> MatrixRecord:
    cells = (changed if cell.number == changed.number else cell for cell in record.cells)
    return record.model_copy(update={"cells": tuple(cells)})


def find_next(record: MatrixRecord) -> MatrixCell | None:
    return next((cell for cell in record.cells if cell.state == "planned"), None)


def reopen(record: MatrixRecord) -> MatrixRecord:
    """A cell that was under way is begun anew; what failed is not tried again."""
    cells = (
        cell.model_copy(update={"state": "planned"}) if cell.state == "running" else cell
        for cell in record.cells
    )
    return record.model_copy(update={"cells": tuple(cells)})


def begin_cell(cell: MatrixCell) -> MatrixCell:
    """Each attempt has a folder of its own: what an earlier one measured stays."""
    attempts = cell.attempts + 1
    again = f"-{attempts}" if attempts > 1 else ""
    name = cell.model.rpartition("/")[2] or cell.model
    folder = f"{cell.number:02d}-{name}-{cell.runtime}{again}"
    return cell.model_copy(update={"state": "running", "attempts": attempts, "folder": folder})


def fail_cell(cell: MatrixCell, stage: Stage, cause: str) -> MatrixCell:
    return cell.model_copy(update={"state": "failed", "failed_at": stage, "cause": cause})


def finish_cell(cell: MatrixCell, result: BenchmarkResult) -> MatrixCell:
    """Measured where a request was answered, else failed by what the result says."""
    figures = read_figures(result)
    if figures.answered:
        return cell.model_copy(update={"state": "measured", "figures": figures, "cause": None})
    why = result.warnings[-1] if result.warnings else "no request was answered"
    return fail_cell(cell, "bench", why)


def read_figures(result: BenchmarkResult) -> CellFigures:
    """Of the median run by throughput; memory and cache of all runs."""
    measurement = result.measurements[0]
    metrics, run = measurement.best_known, measurement.runs[-1]
    latency, first, gap = metrics.e2e_ms, metrics.ttft_ms, metrics.itl_ms
    peaks = [
        node.memory_peak_gib
        for each in measurement.runs
        for node in each.nodes
        if node.memory_peak_gib is not None
    ]
    return CellFigures(
        output_tok_s=metrics.output_tok_s,
        total_tok_s=metrics.total_tok_s,
        latency_mean_ms=latency.mean if latency else None,
        latency_p99_ms=latency.p99 if latency else None,
        ttft_p50_ms=first.p50 if first else None,
        ttft_p99_ms=first.p99 if first else None,
        itl_p50_ms=gap.p50 if gap else None,
        memory_peak_gib=max(peaks, default=None),
        cache_gib=run.served.cache_gib,
        tokens_per_joule=run.tokens_per_joule,
        answered=metrics.outcomes.answered + metrics.outcomes.short,
        sent=metrics.outcomes.sent,
        marks=result.marks,
    )


def predict_duration_s(cell: MatrixCell, load: Load, runs: int) -> float | None:
    """Of the load alone: how long a model takes to load and to cool is not known before."""
    if load.rate_per_s:
        return runs * load.prompts / load.rate_per_s
    if cell.expected is None or not cell.expected.output_tok_s:
        return None
    return runs * load.prompts * load.output_tokens / cell.expected.output_tok_s
