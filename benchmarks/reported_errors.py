"""How far the memory and speed models are from every published figure, known and drawn.

    python -m benchmarks.reported_errors        (--rows: each figure too)

Drawn figures took no part in making the models. Speeds of known rows are those of a fit that never
saw the row's model (sparkform/catalogue/data/throughput.json).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.memory_rows import load_memory_rows
from benchmarks.speed_rows import SpeedRow, load_drawn_rows, load_rows
from benchmarks.speed_tables import list_drawn_inside, load_fit
from sparkform.sizing.calibration import load_calibration

CLOSE = 0.10
MOST_ROWS = 0.9


@dataclass(frozen=True)
class ErrorLine:
    """One figure: predicted over measured, less one."""

    id: str
    kind: str
    error: float


def list_memory_errors(*, drawn: bool) -> list[ErrorLine]:
    """Of the figures that the memory model was made from, or of the drawn ones."""
    return [
        ErrorLine(row.case.id, row.case.kind, row.error)
        for row in load_memory_rows()
        if row.case.drawn is drawn
    ]


def list_speed_errors(*, drawn: bool) -> list[ErrorLine]:
    """Of the rows of the fit, each by a fit that never saw its model, or of the drawn ones."""
    if drawn:
        parameters = load_calibration().parameters
        return [_judge_speed(row, row.predict(parameters)) for row in load_drawn_rows()]
    left_out = load_fit()["left_out_predictions"]
    return [_judge_speed(row, left_out[row.id]) for row in load_rows()]


def _judge_speed(row: SpeedRow, predicted: float) -> ErrorLine:
    kind = "first token" if row.is_first_token else "decode"
    return ErrorLine(row.id, kind, predicted / row.measured - 1)


def compute_share_within(lines: Sequence[ErrorLine], limit: float) -> float:
    """The share of figures whose error is at most `limit`."""
    return sum(abs(line.error) <= limit for line in lines) / len(lines)


def compute_reach(lines: Sequence[ErrorLine], share: float = MOST_ROWS) -> float:
    """The error that `share` of the figures keep within."""
    misses = sorted(abs(line.error) for line in lines)
    return misses[-(-round(share * 100) * len(misses) // 100) - 1]


def describe_lines(name: str, lines: Sequence[ErrorLine]) -> str:
    """One sentence a group."""
    middle = median(abs(line.error) for line in lines)
    return (
        f"{name}: {len(lines)} figures, median {middle:.1%}, nine of ten within "
        f"{compute_reach(lines):.0%}, {compute_share_within(lines, CLOSE):.0%} within {CLOSE:.0%}"
    )


def group_by_kind(lines: Sequence[ErrorLine]) -> dict[str, list[ErrorLine]]:
    """All of them first, then each kind."""
    groups: dict[str, list[ErrorLine]] = {"all": list(lines)}
    for line in sorted(lines, key=lambda line: line.kind):
        groups.setdefault(line.kind, []).append(line)
    return groups


def print_group(name: str, lines: Sequence[ErrorLine], *, rows: bool) -> None:
    """The sentence of a group, by kind where there are several, and its rows if asked for."""
    for kind, members in group_by_kind(lines).items():
        print(describe_lines(f"{name}, {kind}", members))
    for line in lines if rows else ():
        print(f"    {line.id} {line.kind} {line.error:+.1%}")


def main(arguments: Iterable[str]) -> None:
    """Print all groups."""
    rows = "--rows" in list(arguments)
    for name, drawn in (("memory, known", False), ("memory, drawn", True)):
        print_group(name, list_memory_errors(drawn=drawn), rows=rows)
    for name, drawn in (("speed, model left out", False), ("speed, drawn", True)):
        print_group(name, list_speed_errors(drawn=drawn), rows=rows)
    inside = list_drawn_inside()
    held = load_fit()["coverage"]["model_left_out"]
    print(f"inside the printed range: {held:.0%} left out, {sum(inside)} of {len(inside)} drawn")


if __name__ == "__main__":
    main(sys.argv[1:])
