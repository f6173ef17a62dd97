"""How far the memory model is from published figures: the tables of docs/sizes.md."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.markdown import render_table
from benchmarks.reported_errors import (
    CLOSE,
    ErrorLine,
    compute_share_within,
    group_by_kind,
    list_memory_errors,
)

HEADINGS = ("figures", "kind", "number", "median error", "within 10 %")


def render_memory() -> str:
    """How far the memory model is from published figures."""
    return render_table(HEADINGS, [row for row in _list_memory_rows() if row[1] == "all"])


def render_memory_kinds() -> str:
    """The same, by kind."""
    return render_table(HEADINGS, _list_memory_rows())


def _list_memory_rows() -> list[list[str]]:
    return [
        _render_memory_group(name, kind, lines)
        for name, drawn in (("known", False), ("drawn", True))
        for kind, lines in group_by_kind(list_memory_errors(drawn=drawn)).items()
    ]


def _render_memory_group(name: str, kind: str, lines: Sequence[ErrorLine]) -> list[str]:
    middle = median(abs(line.error) for line in lines)
    share = compute_share_within(lines, CLOSE)
    return [name, kind, str(len(lines)), f"{middle:.1%}", f"{share:.0%}"]
