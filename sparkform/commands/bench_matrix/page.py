"""A matrix as one HTML file that asks for nothing else. Pure but for the template, a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from sparkform.bench.matrix import MatrixCell, MatrixRecord
from sparkform.bench.matrix_table import MATRIX_HEADINGS, build_matrix_row, list_causes
from sparkform.commands.bench.report import MARKS, load_templates

RESTORATIONS = {
    "none": "The stack was not touched.",
    "pending": "The stack is not as declared yet.",
    "done": "The stack is as declared again.",
    "failed": "The stack could not be brought back; `pulumi up` does it.",
}


@dataclass(frozen=True)
class Bar:
    """A measured speed, with the predicted one. Shares are of the longest bar, 0 to 100."""

    label: str
    text: str
    share: float
    predicted_share: float | None


def render_matrix(record: MatrixRecord) -> str:
    question = record.question
    created = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(record.created_unix_s))
    marks = {
        mark: MARKS[mark] for cell in record.cells if cell.figures for mark in cell.figures.marks
    }
    context = {
        "title": f"{len(question.models)} models, {question.load.label}",
        "subtitle": f"{question.stack}, {created}, sparkform {record.sparkform_version}",
        "marks": list(marks.values()),
        "warnings": [] if record.restoration == "none" else [RESTORATIONS[record.restoration]],
        "bars": list(list_bars(record)),
        "headings": MATRIX_HEADINGS,
        "causes": list(list_causes(record)),
        "rows": [build_matrix_row(cell) for cell in record.cells],
        "links": [cell.folder for cell in record.cells if cell.state == "measured"],
    }
    return load_templates().get_template("matrix.html").render(context)


def list_bars(record: MatrixRecord) -> Iterator[Bar]:
    """A stand-in's bar says so: its speed is none of a Spark's."""
    speeds = [cell.figures.output_tok_s for cell in record.cells if cell.figures]
    expected = [cell.expected.output_tok_s for cell in record.cells if cell.expected]
    longest = max([*speeds, *expected], default=0.0)
    for cell in record.cells:
        if cell.figures and longest:
            predicted = cell.expected.output_tok_s if cell.expected else None
            yield Bar(
                _label(cell),
                f"{cell.figures.output_tok_s:.1f} tok/s",
                100 * cell.figures.output_tok_s / longest,
                None if predicted is None else 100 * predicted / longest,
            )


def _label(cell: MatrixCell) -> str:
    marks = cell.figures.marks if cell.figures else ()
    return f"{cell.model}, {cell.runtime}{', ' * bool(marks)}{', '.join(marks)}"
