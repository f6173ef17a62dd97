"""The one way in which commands print tables: plain words, coloured only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from sparkform.commands.lazy import import_lazily

if TYPE_CHECKING:
    from rich import console, table, text
else:
    console = import_lazily("rich.console")
    table = import_lazily("rich.table")
    text = import_lazily("rich.text")

WIDTH_WITHOUT_TERMINAL = 160
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def create_console() -> console.Console:
    width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    return console.Console(width=width, highlight=False, markup=False, emoji=False)


def create_table(title: str, *columns: str, numbers: Collection[str] = ()) -> table.Table:
    """Columns named in `numbers` are aligned to the right."""
    heading = text.Text(title, style="bold")
    new_table = table.Table(title=heading, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        new_table.add_column(
            column, overflow="fold", justify="right" if column in numbers else "left"
        )
    return new_table


def add_row(rows: table.Table, *cells: object) -> None:
    """Cells are text as it stands: node answers may hold brackets that look like markup."""
    rows.add_row(*(text.Text(str(cell), style=STYLES.get(str(cell), "")) for cell in cells))
