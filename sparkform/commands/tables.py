"""The one way in which commands print tables: plain words, coloured only on a terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH_WITHOUT_TERMINAL = 160
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def create_console() -> Console:
    width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def create_table(title: str, *columns: str) -> Table:
    new_table = Table(
        title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False
    )
    for column in columns:
        new_table.add_column(column, overflow="fold")
    return new_table


def add_row(table: Table, *cells: object) -> None:
    """Cells are text as it stands: node answers may hold brackets that look like markup."""
    table.add_row(*(Text(str(cell), style=STYLES.get(str(cell), "")) for cell in cells))
