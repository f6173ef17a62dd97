"""What came of the turns, as the study's tables: on the terminal, as Markdown, JSON and a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import typer

from sparkform.bench.estimates import MeanEstimate
from sparkform.bench.matrix import MatrixRecord
from sparkform.bench.study import StudiedModel, analyse_model, list_findings
from sparkform.bench.study_results import group_results, list_comparable
from sparkform.commands.bench.folder import load_result, write_file
from sparkform.commands.bench.report import MARKS, load_templates
from sparkform.commands.bench_matrix.page import Bar
from sparkform.commands.bench_study.command import HEADINGS, StudyReport, list_rows, print_study
from sparkform.commands.json_output import to_json

FINDING_HEADINGS = ("metric", "native", "container", "winner")
Tables = Mapping[str, tuple[Sequence[str], Sequence[Sequence[str]]]]
"""Headings and rows by title."""


def write_study(record: MatrixRecord, folder: Path) -> None:
    """Of the models that were measured in both environments. Raises BenchError."""
    measured = [cell for cell in record.cells if cell.state == "measured" and cell.folder]
    results = list_comparable([load_result(folder / str(cell.folder)) for cell in measured])
    if not results:
        typer.echo("No model was measured in both environments, so there is nothing to compare.")
        return
    studied = group_results(results)
    rows = [analyse_model(model) for model in studied]
    findings = list_findings(studied)
    print_study(studied, rows, findings)
    report = StudyReport(findings, rows)
    tables: Tables = {
        "Findings": (
            FINDING_HEADINGS,
            [(row.metric, row.native, row.container, row.winner) for row in findings],
        ),
        "By model": (
            HEADINGS,
            [
                cells
                for model, row in zip(studied, rows, strict=True)
                for cells in list_rows(model, row)
            ],
        ),
    }
    marks = [MARKS[mark] for mark in dict.fromkeys(mark for each in results for mark in each.marks)]
    title = f"{len(studied)} models native and in container, {record.question.load.label}"
    write_file(folder / "study.json", json.dumps(to_json(report), indent=1) + "\n")
    write_file(folder / "study.md", format_markdown(title, marks, tables))
    write_file(folder / "study.html", render_study(title, marks, tables, studied, record))
    typer.echo(f"the study: {folder}/study.html")


def format_markdown(title: str, marks: Sequence[str], tables: Tables) -> str:
    """Pure."""
    return "\n".join(_list_lines(title, marks, tables))


def _list_lines(title: str, marks: Sequence[str], tables: Tables) -> Iterator[str]:
    yield f"# {title}\n"
    if marks:
        yield f"**Marked: {'; '.join(marks)}**\n"
    for heading, (columns, rows) in tables.items():
        yield f"## {heading}\n"
        yield _format_row(columns)
        yield _format_row(["---"] * len(columns))
        yield from (_format_row(row) for row in rows)
        yield ""


def _format_row(cells: Sequence[str]) -> str:
    r"""
    >>> _format_row(["a|b", "1"])
    '| a\\|b | 1 |'
    """
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def render_study(
    title: str,
    marks: Sequence[str],
    tables: Tables,
    studied: Sequence[StudiedModel],
    record: MatrixRecord,
) -> str:
    question = record.question
    context = {
        "title": title,
        "subtitle": f"{question.stack}, up to {question.rounds} runs each in turns, each begun "
        f"below {question.cool_to_c:g} °C",
        "marks": marks,
        "warnings": [],
        "charts": dict(list_charts(studied)),
        "tables": tables,
    }
    return load_templates().get_template("study.html").render(context)


def list_charts(studied: Sequence[StudiedModel]) -> Iterator[tuple[str, list[Bar]]]:
    """A chart a metric, with a bar for each model in each environment. Pure."""
    for title, name in (
        ("Peak memory, GiB", "memory_peak_gib"),
        ("KV cache, GiB", "cache_gib"),
        ("Output tokens a second", "throughput_tok_s"),
    ):
        yield title, list(_list_bars(studied, name))


def _list_bars(studied: Sequence[StudiedModel], name: str) -> Iterator[Bar]:
    known: list[tuple[str, MeanEstimate]] = []
    for model in studied:
        pairs = (("native", model.native), ("container", model.container))
        for environment, figures in pairs:
            estimate = getattr(figures, name)
            if estimate is not None:
                known.append((f"{model.model}, {environment}", estimate))
    longest = max((estimate.mean for _, estimate in known), default=0.0)
    for label, estimate in known:
        spread = f" ± {estimate.deviation:.1f}" if estimate.deviation else ""
        share = 100 * estimate.mean / longest if longest else 0.0
        yield Bar(label, f"{estimate.mean:.1f}{spread}", share, None)
