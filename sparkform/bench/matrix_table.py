"""A matrix as tables: for the terminal, a spreadsheet and a page. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from sparkform.bench.matrix import MatrixCell, MatrixRecord, predict_duration_s

UNKNOWN = "–"
SCRIPT_COLUMNS = (
    *("Model", "TP", "Output_TPS", "Total_TPS", "Mean_Latency_ms", "P99_Latency_ms", "Status"),
)
"""The columns and the states of the community's script for a pair of Sparks, first and verbatim:
what reads its file reads ours (https://github.com/mark-ramsey-ri/trt-dgx-spark, benchmark_all.sh).
"""

FURTHER_COLUMNS = (
    *("runtime", "round", "nodes", "predicted_tok_s", "ttft_p50_ms", "ttft_p99_ms", "itl_p50_ms"),
    *("memory_peak_gib", "cache_gib", "tokens_per_joule", "answered", "sent", "marks", "folder"),
    "cause",
)
PLAN_NUMBERS = ("TP", "weights GiB a node", "free GiB", "predicted tok/s", "load s")
PLAN_HEADINGS = ("#", "model", "runtime", "nodes", *PLAN_NUMBERS, "")
MATRIX_NUMBERS = (
    *("TP", "output tok/s", "predicted", "total tok/s", "latency ms", "p99", "TTFT p50 ms"),
    *("memory GiB", "cache GiB"),
)
MATRIX_HEADINGS = ("#", "model", "runtime", *MATRIX_NUMBERS, "state")


def name_status(cell: MatrixCell) -> str:
    """In the script's words.

    >>> name_status(MatrixCell(number=1, model="a/b", runtime="swarm", state="measured"))
    'SUCCESS'
    """
    words = {"measured": "SUCCESS", "skipped": "SKIPPED"}
    stages = {"up": "SWITCH_FAILED", "bench": "BENCH_FAILED"}
    if cell.state == "failed":
        return stages[cell.failed_at or "bench"]
    return words.get(cell.state, "NOT_RUN")


def format_csv(record: MatrixRecord) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*SCRIPT_COLUMNS, *FURTHER_COLUMNS])
    for cell in record.cells:
        writer.writerow(build_csv_row(cell))
    return text.getvalue()


def build_csv_row(cell: MatrixCell) -> list[object]:
    """An empty cell is not known; the script writes N/A where a model has no figures."""
    figures: Mapping[str, object] = cell.figures.model_dump() if cell.figures else {}
    speeds = ("output_tok_s", "total_tok_s", "latency_mean_ms", "latency_p99_ms")
    texts = (
        f"{value:.2f}" if isinstance(value := figures.get(name), float) else "N/A"
        for name in speeds
    )
    known = {
        **figures,
        "runtime": cell.runtime,
        "round": cell.round,
        "nodes": len(cell.nodes) or None,
        "predicted_tok_s": cell.expected.output_tok_s if cell.expected else None,
        "marks": " ".join(cell.figures.marks) if cell.figures else None,
        "folder": cell.folder,
        "cause": cell.cause,
    }
    further = (known.get(name) for name in FURTHER_COLUMNS)
    return [
        cell.model,
        count_tensor_parallel(cell) or "N/A",
        *texts,
        name_status(cell),
        *("" if value is None else value for value in further),
    ]


def count_tensor_parallel(cell: MatrixCell) -> int | None:
    ranks = (cell.block or {}).get("tensorParallel")
    return ranks if isinstance(ranks, int) else None


def build_plan_row(cell: MatrixCell, record: MatrixRecord) -> tuple[str, ...]:
    question = record.question
    duration_s = predict_duration_s(cell, question.load, question.runs)
    return (
        *_name_cell(cell),
        ", ".join(cell.nodes) or UNKNOWN,
        _format(count_tensor_parallel(cell), 0),
        _format(cell.weights_gib, 1),
        _format(cell.free_gib, 1),
        _format(cell.expected.output_tok_s if cell.expected else None, 1),
        _format(duration_s if cell.state != "skipped" else None, 0),
        describe_state(cell),
    )


def build_matrix_row(cell: MatrixCell) -> tuple[str, ...]:
    figures = cell.figures
    numbers = (
        (figures.output_tok_s if figures else None, 1),
        (cell.expected.output_tok_s if cell.expected else None, 1),
        (figures.total_tok_s if figures else None, 1),
        (figures.latency_mean_ms if figures else None, 0),
        (figures.latency_p99_ms if figures else None, 0),
        (figures.ttft_p50_ms if figures else None, 0),
        (figures.memory_peak_gib if figures else None, 1),
        (figures.cache_gib if figures else None, 1),
    )
    return (
        *_name_cell(cell),
        _format(count_tensor_parallel(cell), 0),
        *(_format(value, digits) for value, digits in numbers),
        describe_state(cell),
    )


def list_causes(record: MatrixRecord) -> Iterator[str]:
    """One line for each cell that has no figures."""
    for cell in record.cells:
        if cell.cause:
            yield f"{cell.number} {cell.model} in {cell.runtime}: {cell.state}: {cell.cause}"


def describe_state(cell: MatrixCell) -> str:
    """With the marks of what was measured."""
    marks = ", ".join(cell.figures.marks) if cell.figures else ""
    return f"{cell.state} ({marks})" if marks else cell.state


def _name_cell(cell: MatrixCell) -> tuple[str, str, str]:
    return str(cell.number), cell.model, cell.runtime


def _format(value: float | None, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"
