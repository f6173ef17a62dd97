"""The first contact with nodes: their host keys are shown and accepted, then they report."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import typer

from sparkform.commands.init.host_key_acceptance import (
    HostKeyOffer,
    build_refusal,
    find_unaccepted,
    list_offers,
)
from sparkform.commands.init.logins import NodeLogin
from sparkform.commands.live_report import observe_targets, prompt_passphrase, require_all_observed
from sparkform.report.facts import NodeReport
from sparkform.report.rack_report import Observation
from sparkform.ssh.target import Target


@dataclass(frozen=True)
class ContactRequest:
    """Which nodes to contact, how to log in, and which fingerprints were accepted beforehand."""

    logins: tuple[NodeLogin, ...]
    identity_file: str | None
    proxy_jump: str | None
    accepted: tuple[str, ...]


def contact_nodes(request: ContactRequest) -> tuple[dict[str, NodeReport], dict[str, str]]:
    """Reports and host keys by `str(login)`. Raises InputError with every node's problem."""
    targets = [_build_target(login, request) for login in request.logins]
    observation = _observe(targets, request)
    host_key_offers = list_offers(observation, compute_fingerprints(observation))
    for offer in host_key_offers:
        known = "known" if offer.is_known else "unknown"
        typer.echo(f"{offer.node}: host key {offer.line.split()[0]} {offer.fingerprint}, {known}")
    require_all_observed(_drop_unknown_keys(observation))
    _accept(find_unaccepted(host_key_offers, request.accepted))
    keys = {offer.node: offer.line for offer in host_key_offers}
    unknown = {offer.node for offer in host_key_offers if not offer.is_known}
    again = [
        replace(target, host_key=keys[target.name]) for target in targets if target.name in unknown
    ]
    complete = Observation(
        nodes={**observation.nodes, **(_observe(again, request).nodes if again else {})}
    )
    require_all_observed(complete)
    return complete.reports, keys


def _build_target(login: NodeLogin, request: ContactRequest) -> Target:
    return Target(
        name=str(login),
        host=login.host,
        user=login.user,
        port=login.port,
        identity_file=Path(request.identity_file) if request.identity_file else None,
        proxy_jump=request.proxy_jump,
    )


def _observe(targets: Iterable[Target], request: ContactRequest) -> Observation:
    return observe_targets(list(targets), lambda: prompt_passphrase(request.identity_file))


def compute_fingerprints(observation: Observation) -> dict[str, str]:
    """By key line, as `ssh-keygen -lf` shows them."""
    lines = {report.host_key for report in observation.nodes.values() if report.host_key}
    return {line: asyncssh.import_public_key(line).get_fingerprint() for line in lines}


def _drop_unknown_keys(observation: Observation) -> Observation:
    """An unknown key can still be accepted; all other errors end the run."""
    reports = {
        name: report
        for name, report in observation.nodes.items()
        if report.error is None or report.error.kind != "unknown_host_key"
    }
    return Observation(nodes=reports)


def _accept(pending: Collection[HostKeyOffer]) -> None:
    """Raises InputError for keys that are not accepted."""
    if not pending:
        return
    if not sys.stdin.isatty():
        raise build_refusal(pending, is_asked=False)
    typer.echo("Compare on each node's own console: ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub")
    denied = [
        offer for offer in pending if not typer.confirm(f"{offer.node}: trust {offer.fingerprint}?")
    ]
    if denied:
        raise build_refusal(denied, is_asked=True)
