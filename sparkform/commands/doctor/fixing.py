"""`doctor --fix`: each remedy is asked about, then done on its node."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from sparkform.commands.live_report import PassphraseSource
from sparkform.commands.node_lines import print_node_lines
from sparkform.doctor.remedies import Remedy
from sparkform.errors import Problem
from sparkform.ssh.target import Target, VerbRequest


def find_misuse(is_recorded: bool, as_json: bool) -> Problem | None:
    """What --fix cannot go with: it asks a person about nodes that are there."""
    if is_recorded or as_json:
        given = "--facts" if is_recorded else "--json"
        return Problem(path="--fix", message="asks about nodes as they are now", got=given)
    if not sys.stdin.isatty():
        message = "asks before each command, but stdin is not a terminal"
        return Problem(path="--fix", message=message, remedy="run the commands it names by hand")
    return None


def mend(remedies: Sequence[Remedy], targets: Sequence[Target], ask: PassphraseSource) -> bool:
    """Ask about each; whether one of them failed."""
    if not remedies:
        typer.echo("Nothing here is mended by one safe command.")
        return False
    outcomes = [_mend_one(remedy, targets, ask) for remedy in remedies]
    typer.echo("Run `sparkform doctor` again to see what is left.")
    return any(outcomes)


def _mend_one(remedy: Remedy, targets: Sequence[Target], ask: PassphraseSource) -> bool:
    if not typer.confirm(f"{remedy.node}: run `{remedy.command}`?"):
        return False
    concerned = [target for target in targets if target.name == remedy.node]
    request = VerbRequest(remedy.verb, remedy.request)
    return print_node_lines(concerned, {remedy.node: request}, ask)
