"""`sparkform init`: contact nodes for the first time and write their stack file."""

from __future__ import annotations

from typing import Annotated

import typer

from sparkform.commands.init.adding import add_to_file, print_addition
from sparkform.commands.init.first_contact import ContactRequest, contact_nodes
from sparkform.commands.init.logins import parse_logins
from sparkform.commands.init.new_file import get_target_file, require_absent, write_checked
from sparkform.commands.init.proposal import propose_nodes
from sparkform.commands.init.rack_key import find_rack_key
from sparkform.commands.init.stack_text import render_stack_file
from sparkform.errors import InputError, Problem

DEFAULT_STACK = "lab"


def require_no_login_options(identity_file: str | None, proxy_jump: str | None) -> None:
    """Raises InputError: the file that is there says how its nodes are logged in to."""
    given = {"--identity-file": identity_file, "--proxy-jump": proxy_jump}
    problems = [
        Problem(
            path=option, message="is what the stack file says", got=value, remedy="leave it out"
        )
        for option, value in given.items()
        if value is not None
    ]
    if problems:
        raise InputError(problems)


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
    extend: Annotated[
        bool, typer.Option("--extend", help="Write the nodes into a stack file that is there.")
    ] = False,
) -> None:
    """Nothing is changed on the nodes."""
    file, parsed = get_target_file(stack), parse_logins(logins)
    if extend:
        require_no_login_options(identity_file, proxy_jump)
        print_addition(file, add_to_file(file, parsed, accept or ()), stack)
        return
    require_absent(file)
    rack_key = None if identity_file else find_rack_key(parsed)
    if rack_key:
        typer.echo(f"These are nodes of a simulated rack: its key {rack_key} is used.")
        identity_file = str(rack_key)
    request = ContactRequest(parsed, identity_file, proxy_jump, tuple(accept or ()))
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
