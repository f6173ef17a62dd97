"""`sparkform init`: look at nodes for the first time and write their stack file."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_STACK = "lab"


def command(
    logins: Annotated[list[str], typer.Argument(metavar="USER@HOST…", help="the head first")],
    stack: Annotated[str, typer.Option(help="writes Pulumi.NAME.yaml here")] = DEFAULT_STACK,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="FINGERPRINT", help="a host key to trust unasked; repeatable"),
    ] = None,
    identity_file: Annotated[
        str | None, typer.Option(help="private key, where the SSH agent has none that fits")
    ] = None,
    proxy_jump: Annotated[
        str | None, typer.Option(metavar="[USER@]HOST[:PORT]", help="jump host")
    ] = None,
) -> None:
    """Look at nodes, detect how they are cabled, and write a stack file for them."""
    from sparkform.commands.init.first_contact import ContactRequest, contact_nodes
    from sparkform.commands.init.logins import parse_logins
    from sparkform.commands.init.new_file import get_target_file, require_absent, write_checked
    from sparkform.commands.init.proposal import propose_nodes
    from sparkform.commands.init.stack_text import render_stack_file

    file = get_target_file(stack)
    require_absent(file)
    visit = ContactRequest(parse_logins(logins), identity_file, proxy_jump, tuple(accept or ()))
    reports, host_keys = contact_nodes(visit)
    newcomers, detected, warnings = propose_nodes(visit.logins, reports, host_keys)
    write_checked(file, render_stack_file(newcomers, detected, identity_file, proxy_jump))
    for text in (
        *detected.observations,
        *(f"assumed, not seen: {assumption}" for assumption in detected.assumptions),
    ):
        typer.echo(text)
    for warning in warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"\nWrote {file}, fabric {detected.topology}. Next:")
    typer.echo(f"  read it, then `sparkform doctor {file}`")
    typer.echo(f"  `pulumi stack init {stack}`, `pulumi preview --stack {stack}`, then `pulumi up`")
