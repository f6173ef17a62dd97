"""The one way in which commands print what the rules say.

Nothing is folded: a remedy can be pasted as it stands, and a link followed.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from sparkform.rules.outcome import Violation

COLOURS = {"mandatory": "red", "advisory": "yellow"}


def show(violations: Sequence[Violation]) -> None:
    for one in violations:
        typer.secho(f"{one.severity} {one.rule}: {one.path}", fg=COLOURS[one.severity], bold=True)
        typer.echo(f"  {one.document()['message']}")
        typer.echo(f"  write:    {one.remedy}")
        typer.echo(f"  evidence: {one.evidence}\n")
