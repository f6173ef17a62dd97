"""`sparkform bench compare A B …`: each further result against the first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sparkform.bench.comparison import (
    ComparedMetric,
    Comparison,
    compare_results,
    parse_share,
)
from sparkform.commands import options
from sparkform.commands.bench.folder import load_result
from sparkform.commands.json_output import print_json
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.errors import InputError, Problem

NUMBERS = ("first", "second", "difference", "±", "share")
HEADINGS = ("load", "metric", *NUMBERS, "verdict")


def run(
    results: Annotated[
        list[Path], typer.Argument(metavar="A B ...", help="Read these result folders.")
    ],
    fail_if_slower: Annotated[
        str | None, typer.Option(help="End with 1 where throughput fell by more, as 5%.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """The interval is that of 19 of 20 cases (Welch)."""
    share = None if fail_if_slower is None else parse_share("--fail-if-slower", fail_if_slower)
    comparisons = compare_all(results)
    if as_json:
        print_json(comparisons)
    else:
        for comparison in comparisons:
            print_comparison(comparison)
    is_slower = share is not None and any(each.is_slower_by(share) for each in comparisons)
    raise typer.Exit(options.FINDINGS if is_slower else 0)


def compare_all(paths: Sequence[Path]) -> list[Comparison]:
    """Raises InputError."""
    if len(paths) < 2:
        message, allowed = "needs two results or more", "folders that `sparkform bench` wrote"
        got = ", ".join(map(str, paths))
        raise InputError([Problem(path="A B ...", message=message, got=got, allowed=allowed)])
    first, *others = [(str(path), load_result(path)) for path in paths]
    return [compare_results(first[1], other[1], (first[0], other[0])) for other in others]


def print_comparison(comparison: Comparison) -> None:
    screen = create_console()
    title = f"{comparison.second} against {comparison.first}"
    rows = create_table(title, *HEADINGS, numbers=NUMBERS)
    for row in comparison.rows:
        add_row(rows, *format_row(row))
    screen.print(rows)
    for difference in comparison.differs_in:
        screen.print(f"differs: {difference}")
    for remark in comparison.remarks:
        screen.print(remark)


def format_row(row: ComparedMetric) -> tuple[str, ...]:
    return (
        row.load,
        row.metric,
        f"{row.first:.1f}",
        f"{row.second:.1f}",
        f"{row.difference:+.1f}",
        "unknown" if row.half_width is None else f"{row.half_width:.1f}",
        "" if row.relative is None else f"{row.relative:+.1%}",
        row.verdict,
    )
