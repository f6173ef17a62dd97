"""What a verb prints on nodes, each line behind the name of its node, as it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import typer

from sparkform.commands.live_report import PassphraseSource
from sparkform.ssh.following import follow
from sparkform.ssh.target import Target, VerbRequest


def print_node_lines(
    targets: Sequence[Target], requests: Mapping[str, VerbRequest], ask: PassphraseSource
) -> bool:
    """Print every node's lines; whether some node failed.

    Nodes whose key needs a passphrase are asked again with it.
    """
    failed = follow(requests, targets, _print_line)
    locked = {name for name, error in failed.items() if error.kind == "identity"}
    passphrase = ask() if locked else None
    if passphrase is not None:
        opened = [
            replace(target, passphrase=passphrase) for target in targets if target.name in locked
        ]
        failed = {name: error for name, error in failed.items() if name not in locked}
        failed |= follow(requests, opened, _print_line)
    for name, error in failed.items():
        typer.echo(f"{name}: {error.what} {error.remedy}", err=True)
    return bool(failed)


def _print_line(node: str, line: str) -> None:
    print(f"{node} {line}", flush=True)
