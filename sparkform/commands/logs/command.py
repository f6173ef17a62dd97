"""`sparkform logs`: the engines' logs of all nodes, each line behind the name of its node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from sparkform.commands import options
from sparkform.commands.declared import load_declared_stack
from sparkform.commands.live_report import PassphraseSource, find_passphrase_source
from sparkform.config import Declaration
from sparkform.errors import InputError, Problem
from sparkform.plan.targets import list_targets
from sparkform.ssh.following import follow
from sparkform.ssh.target import Target, VerbRequest


def run(
    stack: options.StackFile,
    service: Annotated[str | None, typer.Argument(help="Show one service instead of all.")] = None,
    follows: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Follow until Ctrl-C, also engines yet to start."),
    ] = False,
    lines: Annotated[
        int, typer.Option(min=0, help="Show this many past lines of each rank.")
    ] = 100,
) -> None:
    """Every line stands behind the name of its node."""
    declared = load_declared_stack(stack)
    names = tuple(declared.declaration.services)
    if service is not None:
        options.require(options.check_choice("SERVICE", service, names))
    if not names:
        message = "declares no service, so no engine runs"
        raise InputError([Problem(path=str(stack), message=message)])
    services = (service,) if service else names
    requests = build_requests(declared.declaration, services, lines, follows)
    targets = [target for target in list_targets(declared.declaration) if target.name in requests]
    try:
        failed = print_logs(targets, requests, find_passphrase_source(declared))
    except KeyboardInterrupt:
        raise typer.Exit from None
    raise typer.Exit(options.FINDINGS if failed else 0)


def build_requests(
    declaration: Declaration, services: Sequence[str], lines: int, follows: bool
) -> dict[str, VerbRequest]:
    """By node: the services that have a rank there. A node that is away is not asked."""
    by_node: dict[str, list[str]] = {}
    for name in services:
        for node in declaration.list_service_nodes(name):
            if not node.away:
                by_node.setdefault(node.name, []).append(name)
    return {
        node: VerbRequest("logs", {"services": names, "lines": lines, "follow": follows})
        for node, names in by_node.items()
    }


def print_logs(
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
