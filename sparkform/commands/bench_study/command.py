"""`sparkform bench study RESULT …`: memory, KV cache and throughput, native against container."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sparkform.bench.estimates import MeanEstimate
from sparkform.bench.study import Finding, StudiedModel, StudyRow, analyse_model, list_findings
from sparkform.bench.study_results import group_results
from sparkform.commands import options
from sparkform.commands.bench.folder import load_result
from sparkform.commands.json_output import print_json
from sparkform.commands.tables import add_row, create_console, create_table

UNKNOWN = "–"
NUMBERS = ("native", "container", "difference", "±")
HEADINGS = ("model", "metric", *NUMBERS, "verdict")


@dataclass(frozen=True)
class StudyReport:
    """What `--json` prints."""

    findings: Sequence[Finding]
    models: Sequence[StudyRow]


def run(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT ...", help="Read these result folders.")
    ],
    as_json: options.AsJson = False,
) -> None:
    """Every model needs results with the runtime native and with container or swarm."""
    studied = group_results([load_result(path) for path in results])
    rows = [analyse_model(model) for model in studied]
    findings = list_findings(studied)
    if as_json:
        print_json(StudyReport(findings, rows))
    else:
        print_study(studied, rows, findings)


def print_study(
    studied: Sequence[StudiedModel], rows: Sequence[StudyRow], findings: Sequence[Finding]
) -> None:
    screen = create_console()
    table = create_table("findings", "metric", "native", "container", "winner")
    for finding in findings:
        add_row(table, finding.metric, finding.native, finding.container, finding.winner)
    screen.print(table)
    details = create_table("by model", *HEADINGS, numbers=NUMBERS)
    for model, row in zip(studied, rows, strict=True):
        for cells in list_rows(model, row):
            add_row(details, *cells)
    screen.print(details)


def list_rows(model: StudiedModel, row: StudyRow) -> list[tuple[str, ...]]:
    native, container = model.native, model.container
    noise = row.throughput_difference.is_noise
    verdict = {None: "spread unknown", True: "within the noise", False: "differs"}[noise]
    half = row.throughput_difference.half_width
    return [
        (
            row.model,
            "peak memory GiB",
            format_mean(native.memory_peak_gib),
            format_mean(container.memory_peak_gib),
            format_number(row.memory_overhead_gib),
            "",
            "" if row.memory_overhead_share is None else f"{row.memory_overhead_share:+.0%}",
        ),
        (
            row.model,
            "KV cache GiB",
            format_mean(native.cache_gib),
            format_mean(container.cache_gib),
            format_number(row.cache_difference_gib),
            "",
            "" if row.cache_ratio is None else f"native has {row.cache_ratio:.1f} times as much",
        ),
        (
            row.model,
            "output tok/s",
            format_mean(native.throughput_tok_s),
            format_mean(container.throughput_tok_s),
            format_number(row.throughput_difference.difference),
            UNKNOWN if half is None else f"{half:.2f}",
            verdict,
        ),
    ]


def format_mean(estimate: MeanEstimate | None) -> str:
    return UNKNOWN if estimate is None else f"{estimate.mean:.2f}"


def format_number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:+.2f}"
