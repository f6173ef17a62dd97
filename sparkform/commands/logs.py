"""`sparkform logs`: the engines' logs of all nodes, each line behind the name of its node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sparkform.commands.live_report import Ask
    from sparkform.config import Spec
    from sparkform.ssh.following import Question
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
    from sparkform.commands.declared import load
    from sparkform.commands.live_report import passphrase_of
    from sparkform.commands.options import one_of, require
    from sparkform.errors import InputError, Problem

    declared = load(stack)
    names = tuple(declared.spec.services)
    if service is not None:
        require(one_of("SERVICE", service, names))
    if not names:
        what = "declares no service, so no engine runs"
        raise InputError([Problem(path=str(stack), what=what)])
    asked = questions(declared.spec, (service,) if service else names, lines, follow)
    try:
        failed = show(declared_targets(declared.spec, asked), asked, passphrase_of(declared))
    except KeyboardInterrupt:
        raise typer.Exit from None
    raise typer.Exit(FINDINGS if failed else 0)


def questions(
    spec: Spec, services: tuple[str, ...], lines: int, follow: bool
) -> dict[str, Question]:
    """By node: the services that have a rank there. A node that is away is asked nothing."""
    from sparkform.ssh.following import Question

    by_node: dict[str, list[str]] = {}
    for name in services:
        for node in spec.service_nodes(name):
            if not node.away:
                by_node.setdefault(node.name, []).append(name)
    return {
        node: Question("logs", {"services": found, "lines": lines, "follow": follow})
        for node, found in by_node.items()
    }


def declared_targets(spec: Spec, asked: dict[str, Question]) -> list[Target]:
    from sparkform.plan.targets import targets

    return [one for one in targets(spec) if one.name in asked]


def show(nodes: list[Target], asked: dict[str, Question], ask: Ask) -> bool:
    """Print every node's lines; whether some node failed. Nodes whose key needs it are asked again
    with the passphrase."""
    from dataclasses import replace

    from sparkform.ssh.following import follow

    failed = follow(asked, nodes, _print)
    locked = [one for one in nodes if one.name in failed and failed[one.name].kind == "identity"]
    passphrase = ask() if locked else None
    if passphrase is not None:
        opened = [replace(one, passphrase=passphrase) for one in locked]
        failed = {name: error for name, error in failed.items() if error.kind != "identity"}
        failed |= follow(asked, opened, _print)
    for name, error in failed.items():
        typer.echo(f"{name}: {error.what} {error.remedy}", err=True)
    return bool(failed)


def _print(node: str, line: str) -> None:
    print(f"{node} {line}", flush=True)
