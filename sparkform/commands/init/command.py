"""`sparkform init`: contact nodes for the first time and write their stack file."""

from __future__ import annotations

from typing import Annotated

import typer

from sparkform.commands.init.first_contact import ContactRequest, contact_nodes
from sparkform.commands.init.logins import parse_logins
from sparkform.commands.init.new_file import get_target_file, require_absent, write_checked
from sparkform.commands.init.proposal import propose_nodes
from sparkform.commands.init.stack_text import render_stack_file

DEFAULT_STACK = "lab"


def run(
    logins: Annotated[
        list[str], typer.Argument(metavar="USER@HOST…", help="Name the nodes, the head first.")
    ],
    stack: Annotated[str, typer.Option(help="Write Pulumi.NAME.yaml.")] = DEFAULT_STACK,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINGERPRINT", help="Trust a host key without asking; may be repeated."
        ),
    ] = None,
    identity_file: Annotated[
        str | None, typer.Option(help="Use a private key where the SSH agent has none that fits.")
    ] = None,
    proxy_jump: Annotated[
        str | None,
        typer.Option(metavar="[USER@]HOST[:PORT]", help="Reach the nodes through a jump host."),
    ] = None,
) -> None:
    """Nothing is changed on the nodes."""
    file = get_target_file(stack)
    require_absent(file)
    request = ContactRequest(parse_logins(logins), identity_file, proxy_jump, tuple(accept or ()))
    reports, host_keys = contact_nodes(request)
    nodes, detected, warnings = propose_nodes(request.logins, reports, host_keys)
    write_checked(file, render_stack_file(nodes, detected, identity_file, proxy_jump))
    for observation in detected.observations:
        typer.echo(observation)
    for assumption in detected.assumptions:
        typer.echo(f"assumed: {assumption}")
    for warning in warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"\nWrote {file}, fabric {detected.topology}. Next:")
    typer.echo(f"  read it, then run `sparkform doctor {file}`")
    typer.echo(f"  `pulumi stack init {stack}`, `pulumi preview --stack {stack}`, then `pulumi up`")
