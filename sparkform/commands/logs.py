"""`sparkform logs`: the engines' logs of all nodes, each line behind the name of its node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sparkform.commands.live_report import PassphraseSource
    from sparkform.config import Declaration
    from sparkform.ssh.following import VerbRequest
    from sparkform.ssh.target import Target

FINDINGS = 1


def command(
    stack: Annotated[Path, typer.Argument(metavar="STACK.yaml", help="Pulumi.<stack>.yaml")],
    service: Annotated[str | None, typer.Argument(help="one service; all without it")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="go on until Ctrl-C, with engines yet to come")
    ] = False,
    lines: Annotated[int, typer.Option(min=0, help="how many of the past, of each rank")] = 100,
) -> None:
    """Show what the engines print, or the logs kept of those that were ended."""
    from sparkform.commands.declared import load_declared_stack
    from sparkform.commands.live_report import find_passphrase_source
    from sparkform.commands.options import check_choice, require
    from sparkform.errors import InputError, Problem

    declared = load_declared_stack(stack)
    names = tuple(declared.declaration.services)
    if service is not None:
        require(check_choice("SERVICE", service, names))
    if not names:
        message = "declares no service, so no engine runs"
        raise InputError([Problem(path=str(stack), message=message)])
    node_questions = build_questions(
        declared.declaration, (service,) if service else names, lines, follow
    )
    try:
        failed = print_logs(
            select_targets(declared.declaration, node_questions),
            node_questions,
            find_passphrase_source(declared),
        )
    except KeyboardInterrupt:
        raise typer.Exit from None
    raise typer.Exit(FINDINGS if failed else 0)


def build_questions(
    declaration: Declaration, services: tuple[str, ...], lines: int, follow: bool
) -> dict[str, VerbRequest]:
    """By node: the services that have a rank there. A node that is away is asked nothing."""
    from sparkform.ssh.following import VerbRequest

    by_node: dict[str, list[str]] = {}
    for name in services:
        for node in declaration.list_service_nodes(name):
            if not node.away:
                by_node.setdefault(node.name, []).append(name)
    return {
        node: VerbRequest("logs", {"services": node_services, "lines": lines, "follow": follow})
        for node, node_services in by_node.items()
    }


def select_targets(
    declaration: Declaration, node_questions: dict[str, VerbRequest]
) -> list[Target]:
    from sparkform.plan.targets import list_targets

    return [target for target in list_targets(declaration) if target.name in node_questions]


def print_logs(
    nodes: list[Target], node_questions: dict[str, VerbRequest], ask: PassphraseSource
) -> bool:
    """Print every node's lines; whether some node failed. Nodes whose key needs it are asked again
    with the passphrase."""
    from dataclasses import replace

    from sparkform.ssh.following import follow

    failed = follow(node_questions, nodes, _print_line)
    locked = [
        target
        for target in nodes
        if target.name in failed and failed[target.name].kind == "identity"
    ]
    passphrase = ask() if locked else None
    if passphrase is not None:
        opened = [replace(target, passphrase=passphrase) for target in locked]
        failed = {name: error for name, error in failed.items() if error.kind != "identity"}
        failed |= follow(node_questions, opened, _print_line)
    for name, error in failed.items():
        typer.echo(f"{name}: {error.what} {error.remedy}", err=True)
    return bool(failed)


def _print_line(node: str, line: str) -> None:
    print(f"{node} {line}", flush=True)
