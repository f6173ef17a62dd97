"""The first contact with nodes: their host keys are shown and accepted, then they are observed."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

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
    """Whom to look at, how to log in, and which fingerprints were accepted beforehand."""

    logins: tuple[NodeLogin, ...]
    identity_file: str | None
    proxy_jump: str | None
    accepted: tuple[str, ...]


def contact_nodes(visit: ContactRequest) -> tuple[dict[str, NodeReport], dict[str, str]]:
    """Documents and host keys by `str(login)`. Raises InputError with every node's problem."""
    targets = [_build_target(login, visit) for login in visit.logins]
    observation = _observe(targets, visit)
    host_key_offers = list_offers(observation, compute_fingerprints(observation))
    for offer in host_key_offers:
        known = "known already" if offer.is_known else "not known yet"
        typer.echo(f"{offer.node}: host key {offer.line.split()[0]} {offer.fingerprint}, {known}")
    require_all_observed(_drop_unknown_keys(observation))
    _accept(find_unaccepted(host_key_offers, visit.accepted))
    keys = {offer.node: offer.line for offer in host_key_offers}
    unknown = {offer.node for offer in host_key_offers if not offer.is_known}
    again = [
        replace(offer, host_key=keys[offer.name]) for offer in targets if offer.name in unknown
    ]
    complete = Observation(
        nodes={**observation.nodes, **(_observe(again, visit).nodes if again else {})}
    )
    require_all_observed(complete)
    return complete.reports, keys


def _build_target(login: NodeLogin, visit: ContactRequest) -> Target:
    return Target(
        name=str(login),
        host=login.host,
        user=login.user,
        port=login.port,
        identity_file=Path(visit.identity_file) if visit.identity_file else None,
        proxy_jump=visit.proxy_jump,
    )


def _observe(targets: Iterable[Target], visit: ContactRequest) -> Observation:
    return observe_targets(list(targets), lambda: prompt_passphrase(visit.identity_file))


def compute_fingerprints(observation: Observation) -> dict[str, str]:
    """By key line, as `ssh-keygen -lf` shows them."""
    import asyncssh

    lines = {report.host_key for report in observation.nodes.values() if report.host_key}
    return {line: asyncssh.import_public_key(line).get_fingerprint() for line in lines}


def _drop_unknown_keys(observation: Observation) -> Observation:
    """A key that is not known yet is a question, all other errors are the end."""
    reports = {
        name: report
        for name, report in observation.nodes.items()
        if report.error is None or report.error.kind != "unknown_host_key"
    }
    return Observation(nodes=reports)


def _accept(pending: Collection[HostKeyOffer]) -> None:
    """Raises InputError for what nobody accepts."""
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
