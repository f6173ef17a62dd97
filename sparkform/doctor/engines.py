"""The services' engines: who runs, who died and how, whose token, and one completion a service.

A node is asked while it is observed (node.readiness.query), as for the packets of the fabric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from node.host.labels import SERVICE
from sparkform.config import Declaration
from sparkform.doctor.check import Check, NodeView
from sparkform.doctor.supervision import is_kept
from sparkform.launch.paths import get_api_key_path, get_rank_name
from sparkform.report.facts import NodeReport
from sparkform.report.probe_reports import (
    CompletionReport,
    RankReport,
    ServiceReport,
    read_service_report,
)

RESTART_FIX = "`pulumi up` starts the whole service again"
KEPT_FIX = "its supervisor starts the whole service again"
ANSWER_PHRASES = {
    "generate": "completes one token",
    "embed": "embeds one text",
    "rerank": "scores one document",
}
"""By task."""

OK, NO_ANSWER, DENIED_STATUSES = 200, 0, (401, 403)


def build_ready_request(declaration: Declaration, node: str) -> dict[str, object]:
    """What the step `ready` of one node is asked; empty where no service has a rank."""
    requests = [
        _build_service_request(declaration, service, node)
        for service in declaration.services
        if node in _list_nodes(declaration, service)
    ]
    return {"services": requests} if requests else {}


def _build_service_request(declaration: Declaration, service: str, node: str) -> dict[str, object]:
    declared, nodes = declaration.services[service], _list_nodes(declaration, service)
    is_swarm = declared.runtime == "swarm" and node == declaration.head.name
    ranks = range(len(nodes)) if is_swarm else ()
    return {
        "service": service,
        "asks": node == nodes[0],
        "served_name": declaration.get_served_name(service),
        "task": declared.task,
        "bind": declared.bind,
        "address": _strip_prefix_length(declaration.get_node(node).management_address),
        "port": declared.port,
        "key_file": get_api_key_path(service),
        "swarm_names": [get_rank_name(service, rank) for rank in ranks],
    }


def _strip_prefix_length(address: str | None) -> str | None:
    return address.partition("/")[0] if address else None


def _list_nodes(declaration: Declaration, service: str) -> list[str]:
    return [node.name for node in declaration.list_service_nodes(service)]


def check_engines(view: NodeView) -> Iterator[Check]:
    """A row for each service that has a rank on this node, and for engines of no service."""
    for service in view.declaration.services:
        if view.node.name in _list_nodes(view.declaration, service):
            state = read_service_report(view.report, service)
            if isinstance(state, str):
                yield view.unknown(f"service {service}", state)
            elif state is not None:
                yield from _check_service(view, service, state)
    yield from _check_undeclared_engines(view)


def _check_service(view: NodeView, service: str, state: ServiceReport) -> Iterator[Check]:
    name, rank = f"service {service}", _list_nodes(view.declaration, service).index(view.node.name)
    live = [rank_state for rank_state in state.ranks if rank_state.is_alive]
    for rank_state in live:
        token = f", token {rank_state.short_token}" if rank_state.short_token else ""
        yield view.ok(name, f"rank {rank} runs as {rank_state.name}{token}")
    if not live:
        fix = KEPT_FIX if is_kept(view, service) else RESTART_FIX
        yield from (
            _fail_dead_rank(view, name, rank, rank_state, fix) for rank_state in state.ranks
        )
        if not state.ranks:
            yield _report_missing_rank(view, name, rank, state)
    for reason in state.not_placed.values():
        yield view.fail(name, f"Swarm: {reason}", f"see the rows of Swarm's nodes; {RESTART_FIX}")
    if live and state.completion:
        yield _check_completion(view, service, state.completion)


def _fail_dead_rank(
    view: NodeView, name: str, rank: int, rank_state: RankReport, fix: str
) -> Check:
    log_tail = "".join(f"\n| {line}" for line in rank_state.last if line.strip())
    message = f"rank {rank} is dead, {rank_state.name}: {rank_state.ending}{log_tail}"
    return view.fail(name, message, f"`sparkform logs` shows all of it; {fix}")


def _report_missing_rank(view: NodeView, name: str, rank: int, state: ServiceReport) -> Check:
    if state.unknown is not None:
        return view.unknown(name, f"the state of rank {rank}: {state.unknown}", "fail")
    log_note = f"; the last log is {state.kept[-1]}" if state.kept else ""
    message = f"rank {rank} has no engine here{log_note}"
    if view.is_claimed:
        return view.fail(name, message, RESTART_FIX)
    return view.warn(name, message, "`pulumi up` starts it")


def _check_completion(view: NodeView, service: str, completion: CompletionReport) -> Check:
    name, url, status = f"service {service}", completion.url, completion.status
    task = view.declaration.services[service].task
    if status == OK:
        return view.ok(name, f"{url} {ANSWER_PHRASES[task]} in {completion.took_s:g} s")
    if status == NO_ANSWER:
        message = f"{url} does not answer (after {completion.took_s:g} s): {completion.text}"
        fix = f"it may still be starting or hang: `sparkform logs --follow`; {RESTART_FIX}"
        return view.fail(name, message, fix)
    is_denied = status in DENIED_STATUSES
    fix = "`pulumi up` distributes the API key again" if is_denied else RESTART_FIX
    return view.fail(name, f"{url} answers {status} to its probe: {completion.text}", fix)


def _check_undeclared_engines(view: NodeView) -> Iterator[Check]:
    for container in view.facts.containers or ():
        service = container.labels.get(SERVICE)
        if service is not None and service not in view.declaration.services:
            message = f"{container.name} belongs to service {service}, which is not declared"
            yield view.warn(
                "engines", message, "`pulumi up` removes it, or `sudo docker rm --force`"
            )


def check_start_tokens(
    declaration: Declaration, reports: Mapping[str, NodeReport]
) -> Iterator[Check]:
    """Ranks of one service that were not started together do not find each other."""
    for service in declaration.services:
        tokens = dict(_list_tokens(service, reports))
        if len(set(tokens.values())) > 1:
            token_list = ", ".join(f"{node} {token}" for node, token in sorted(tokens.items()))
            message = f"ranks are from different starts: {token_list}"
            yield Check(None, f"service {service}", "fail", message, RESTART_FIX)


def _list_tokens(service: str, reports: Mapping[str, NodeReport]) -> Iterator[tuple[str, str]]:
    for node, report in reports.items():
        state = read_service_report(report, service)
        for rank_state in state.ranks if isinstance(state, ServiceReport) else ():
            if rank_state.is_alive and rank_state.token:
                yield node, rank_state.token


CHECKS = (check_engines,)
