"""`sparkform logs`: the engines' logs of all nodes, each line behind the name of its node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from sparkform.commands import options
from sparkform.commands.declared import load_declared_stack
from sparkform.commands.live_report import find_passphrase_source
from sparkform.commands.node_lines import print_node_lines
from sparkform.config import Declaration
from sparkform.errors import InputError, Problem
from sparkform.plan.targets import list_targets
from sparkform.ssh.target import VerbRequest


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
        failed = print_node_lines(targets, requests, find_passphrase_source(declared))
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
