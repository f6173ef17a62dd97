"""`sparkform restart`: the supervisor on rank 0's node is asked, and does what it does after a
failure; `pulumi up` finds the same run afterwards."""

from __future__ import annotations

from typing import Annotated

import typer

from sparkform.commands import options
from sparkform.commands.declared import load_declared_stack
from sparkform.commands.live_report import find_passphrase_source
from sparkform.commands.node_lines import print_node_lines
from sparkform.plan.targets import list_targets
from sparkform.ssh.target import VerbRequest


def run(
    stack: options.StackFile,
    service: Annotated[str, typer.Argument(help="Name the service to restart.")],
) -> None:
    """Returns once the request is there; `sparkform logs --follow` shows the new start."""
    declared = load_declared_stack(stack)
    names = tuple(declared.declaration.services)
    options.require(options.check_choice("SERVICE", service, names))
    node = declared.declaration.list_service_nodes(service)[0].name
    targets = [target for target in list_targets(declared.declaration) if target.name == node]
    request = VerbRequest("restart", {"service": service})
    has_failed = print_node_lines(targets, {node: request}, find_passphrase_source(declared))
    raise typer.Exit(options.FINDINGS if has_failed else 0)
