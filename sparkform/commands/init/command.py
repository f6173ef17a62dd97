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
    from sparkform.commands.init.first_contact import Visit, first_look
    from sparkform.commands.init.logins import read_logins
    from sparkform.commands.init.new_file import require_absent, target_file, write_checked
    from sparkform.commands.init.proposal import propose
    from sparkform.commands.init.stack_text import stack_text

    file = target_file(stack)
    require_absent(file)
    visit = Visit(read_logins(logins), identity_file, proxy_jump, tuple(accept or ()))
    documents, host_keys = first_look(visit)
    newcomers, detected, warnings = propose(visit.logins, documents, host_keys)
    write_checked(file, stack_text(newcomers, detected, identity_file, proxy_jump))
    for text in (*detected.seen, *(f"assumed, not seen: {one}" for one in detected.assumed)):
        typer.echo(text)
    for warning in warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"\nWrote {file}, fabric {detected.topology}. Next:")
    typer.echo(f"  read it, then `sparkform doctor {file}`")
    typer.echo(f"  `pulumi stack init {stack}`, `pulumi preview --stack {stack}`, then `pulumi up`")
