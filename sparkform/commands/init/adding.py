"""`init --extend`: contact further nodes, and write them into the stack file that is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from sparkform.commands.init.addition import AddedNodes, add_nodes
from sparkform.commands.init.first_contact import ContactRequest, contact_nodes
from sparkform.commands.init.logins import NodeLogin
from sparkform.commands.init.new_file import replace_checked
from sparkform.commands.init.node_names import choose_node_names
from sparkform.commands.init.proposal import describe_machine
from sparkform.commands.init.stack_text import NewNode
from sparkform.commands.init.topology import DetectedTopology, detect_topology
from sparkform.commands.live_report import observe_targets, prompt_passphrase, require_all_observed
from sparkform.config import Declaration, load_stack
from sparkform.errors import InputError, Problem
from sparkform.plan.targets import list_targets
from sparkform.report.facts import NodeReport


@dataclass(frozen=True)
class Addition:
    """What was written: the new nodes' names, the fabric before and after, and what to look at."""

    names: tuple[str, ...]
    before: str
    after: str
    remarks: tuple[str, ...]


def add_to_file(file: Path, logins: Sequence[NodeLogin], accepted: Sequence[str]) -> Addition:
    """Raises InputError with every problem; the file is then as it was."""
    declaration = load_stack(file)
    _require_new(file, declaration, logins)
    cluster = declaration.cluster
    request = ContactRequest(
        tuple(logins), cluster.identity_file, cluster.proxy_jump, tuple(accepted)
    )
    reports, host_keys = contact_nodes(request)
    nodes = _propose(declaration, logins, reports, host_keys)
    known = _observe_known(declaration)
    new = {node.name: reports[str(node.login)] for node in nodes}
    detected = _detect({**known, **new})
    before = str(cluster.fabric.topology)
    after = choose_topology(before, len(declaration.nodes), detected)
    first_index = max(node.index for node in declaration.nodes) + 1
    added = AddedNodes(nodes, first_index, str(cluster.user))
    text = file.read_text(encoding="utf-8")
    replace_checked(file, add_nodes(text, added, after if after != before else None))
    names = tuple(node.name for node in nodes)
    return Addition(names, before, after, tuple(_list_remarks(declaration, detected)))


def choose_topology(declared: str, count: int, detected: DetectedTopology) -> str:
    """Another only where the declared one cannot hold a further node: a pair's cable, or none at
    all of a node that was alone.

    >>> choose_topology("direct", 2, DetectedTopology("ring", (), ()))
    'ring'
    >>> choose_topology("switch", 2, DetectedTopology("ring", (), ()))
    'switch'
    """
    has_no_room = declared == "direct" or (declared == "none" and count == 1)
    return str(detected.topology) if has_no_room else declared


def _require_new(file: Path, declaration: Declaration, logins: Sequence[NodeLogin]) -> None:
    known = {(node.host, node.port): node.name for node in declaration.nodes}
    problems = [
        Problem(path=str(login), message=f"is {known[login.host, login.port]} in {file} already")
        for login in logins
        if (login.host, login.port) in known
    ]
    if problems:
        raise InputError(problems)


def _propose(
    declaration: Declaration,
    logins: Sequence[NodeLogin],
    reports: dict[str, NodeReport],
    host_keys: dict[str, str],
) -> list[NewNode]:
    hosts = [reports[str(login)].facts.host for login in logins]
    hostnames = [host.hostname if host else None for host in hosts]
    names = choose_node_names(hostnames, [node.name for node in declaration.nodes])
    return [
        NewNode(name, login, host_keys[str(login)], describe_machine(reports[str(login)]))
        for name, login in zip(names, logins, strict=True)
    ]


def _observe_known(declaration: Declaration) -> dict[str, NodeReport]:
    """The nodes that the file has: how all are cabled follows from all."""
    identity_file = declaration.cluster.identity_file
    observation = observe_targets(
        list_targets(declaration), lambda: prompt_passphrase(identity_file)
    )
    require_all_observed(observation)
    return dict(observation.reports)


def _detect(reports: dict[str, NodeReport]) -> DetectedTopology:
    return detect_topology(
        {name: report.facts.interfaces or () for name, report in reports.items()}
    )


def _list_remarks(declaration: Declaration, detected: DetectedTopology) -> list[str]:
    widened = [name for name, service in declaration.services.items() if service.nodes is None]
    services = [
        f"service {name} names no nodes, so it takes the new ones too: set its `nodes`"
        for name in widened
    ]
    return [*(f"assumed: {text}" for text in detected.assumptions), *services]


def print_addition(file: Path, addition: Addition, stack: str) -> None:
    for remark in addition.remarks:
        typer.echo(remark)
    fabric = f"fabric {addition.after}"
    if addition.after != addition.before:
        fabric += f" in place of {addition.before}"
    typer.echo(f"\nAdded {', '.join(addition.names)} to {file}, {fabric}. Next:")
    typer.echo(f"  `pulumi preview --stack {stack}`, then `pulumi up`")
