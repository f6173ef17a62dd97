"""Tables beside these modules, read from wherever the program lies: a folder or its zip."""

from __future__ import annotations

import csv
import io
import pkgutil
from collections.abc import Sequence


def read_table(name: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows by column. Raises ValueError for a damaged table: it is part of the program."""
    data = pkgutil.get_data(__package__, name)
    if data is None:
        raise ValueError(f"{name} is missing")
    lines = csv.DictReader(io.StringIO(data.decode("utf-8")), strict=True)
    if tuple(lines.fieldnames or ()) != tuple(columns):
        raise ValueError(f"columns of {name} are {lines.fieldnames}")
    rows = list(lines)
    if any(None in row or None in row.values() for row in rows):
        raise ValueError(f"{name} has a row of another length")
    return rows
