"""The first contact with nodes: their host keys are shown and accepted, then they are observed."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from sparkform.commands.init.host_key_acceptance import Offer, offers, refuse, unaccepted
from sparkform.commands.init.logins import Login
from sparkform.commands.live_report import from_terminal, look, require_all
from sparkform.report.facts import NodeDocument
from sparkform.report.rack_report import Observation
from sparkform.ssh.target import Target


@dataclass(frozen=True)
class Visit:
    """Whom to look at, how to log in, and which fingerprints were accepted beforehand."""

    logins: tuple[Login, ...]
    identity_file: str | None
    proxy_jump: str | None
    accepted: tuple[str, ...]


def first_look(visit: Visit) -> tuple[dict[str, NodeDocument], dict[str, str]]:
    """Documents and host keys by `str(login)`. Raises InputError with every node's problem."""
    targets = [_target(login, visit) for login in visit.logins]
    seen = _look(targets, visit)
    found = offers(seen, fingerprints(seen))
    for one in found:
        known = "known already" if one.is_known else "not known yet"
        typer.echo(f"{one.node}: host key {one.line.split()[0]} {one.fingerprint}, {known}")
    require_all(_but_unknown(seen))
    _accept(unaccepted(found, visit.accepted))
    keys = {one.node: one.line for one in found}
    unknown = {one.node for one in found if not one.is_known}
    again = [replace(one, host_key=keys[one.name]) for one in targets if one.name in unknown]
    complete = Observation(nodes={**seen.nodes, **(_look(again, visit).nodes if again else {})})
    require_all(complete)
    return complete.documents, keys


def _target(login: Login, visit: Visit) -> Target:
    return Target(
        name=str(login),
        host=login.host,
        user=login.user,
        port=login.port,
        identity_file=Path(visit.identity_file) if visit.identity_file else None,
        proxy_jump=visit.proxy_jump,
    )


def _look(targets: Iterable[Target], visit: Visit) -> Observation:
    return look(list(targets), lambda: from_terminal(visit.identity_file))


def fingerprints(seen: Observation) -> dict[str, str]:
    """By key line, as `ssh-keygen -lf` shows them."""
    import asyncssh

    lines = {report.host_key for report in seen.nodes.values() if report.host_key}
    return {line: asyncssh.import_public_key(line).get_fingerprint() for line in lines}


def _but_unknown(seen: Observation) -> Observation:
    """A key that is not known yet is a question, all other errors are the end."""
    kept = {
        name: report
        for name, report in seen.nodes.items()
        if report.error is None or report.error.kind != "unknown_host_key"
    }
    return Observation(nodes=kept)


def _accept(asked: Collection[Offer]) -> None:
    """Raises InputError for what nobody accepts."""
    if not asked:
        return
    if not sys.stdin.isatty():
        raise refuse(asked, is_asked=False)
    typer.echo("Compare on each node's own console: ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub")
    denied = [one for one in asked if not typer.confirm(f"{one.node}: trust {one.fingerprint}?")]
    if denied:
        raise refuse(denied, is_asked=True)
