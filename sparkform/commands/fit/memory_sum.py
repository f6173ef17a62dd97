"""The sum of one node's memory, part by part, with a bar for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkform.commands.fit.report import NodeCountFit
from sparkform.commands.tables import add_row, create_table
from sparkform.sizing.engine_memory import MemoryPart

if TYPE_CHECKING:
    from rich.table import Table

BAR_CELLS = 40
FULL, EMPTY = "#", "."


def create_sum_table(row: NodeCountFit, usable_gib: float) -> Table:
    """Every part, what is left for the cache, and what the share leaves to the system."""
    title = f"One of {row.nodes} nodes: {usable_gib:.1f} GiB, {row.limit_gib:.1f} for the service"
    lines = create_table(title, "part", "GiB", "", numbers=("GiB",))
    start = 0.0
    for part in list_lines(row, usable_gib):
        add_row(lines, part.name, f"{part.gib:.1f}", draw_bar(start, part.gib, usable_gib))
        start += max(part.gib, 0.0)
    return lines


def list_lines(row: NodeCountFit, usable_gib: float) -> list[MemoryPart]:
    """The parts in order; they add up to the node's memory where all of it fits."""
    free_name = "free for the cache" if row.free_gib >= 0 else "lacking"
    rest_gib = usable_gib - sum(part.gib for part in row.parts) - max(row.free_gib, 0.0)
    return [
        *row.parts,
        MemoryPart(name=free_name, gib=row.free_gib),
        MemoryPart(name="outside the share", gib=max(rest_gib, 0.0)),
    ]


def draw_bar(start_gib: float, gib: float, total_gib: float) -> str:
    """A part's place in the whole: what stands before it is dotted."""
    first = min(round(start_gib / total_gib * BAR_CELLS), BAR_CELLS)
    last = min(round((start_gib + max(gib, 0.0)) / total_gib * BAR_CELLS), BAR_CELLS)
    return EMPTY * first + FULL * (last - first) + EMPTY * (BAR_CELLS - last)
