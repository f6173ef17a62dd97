"""The one way in which commands print what the rules say.

Nothing is folded: a remedy can be pasted as it stands, and a link followed.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from sparkform.rules.outcome import Violation

COLOURS = {"mandatory": "red", "advisory": "yellow"}


def print_violations(violations: Sequence[Violation], err: bool = False) -> None:
    for violation in violations:
        typer.secho(
            f"{violation.severity} {violation.rule}: {violation.path}",
            fg=COLOURS[violation.severity],
            bold=True,
            err=err,
        )
        typer.echo(f"  {violation.to_json()['message']}", err=err)
        typer.echo(f"  write:    {violation.remedy}", err=err)
        typer.echo(f"  evidence: {violation.evidence}\n", err=err)
