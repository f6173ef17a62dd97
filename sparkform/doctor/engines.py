"""The services' engines: who runs, who died and how, whose token, and one completion a service.

A node is asked while it is observed (node.readiness.look), as for the packets of the fabric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from node.host.labels import SERVICE
from node.host.plain import as_list, as_mapping
from sparkform.config import Declaration
from sparkform.doctor.check import Check, NodeView
from sparkform.launch.paths import get_api_key_path
from sparkform.report.facts import NodeReport

STEP = "ready"
RESTART_FIX = "`pulumi up` starts the whole service again"
DENIED_STATUSES = (401, 403)
TOKEN_DIGITS = 8
Json = Mapping[str, Any]


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
        "bind": declared.bind,
        "address": _strip_prefix_length(declaration.get_node(node).management_address),
        "port": declared.port,
        "key_file": get_api_key_path(service),
        "swarm_names": [f"sparkform-{service}-{rank}" for rank in ranks],
    }


def _strip_prefix_length(address: str | None) -> str | None:
    return address.partition("/")[0] if address else None


def _list_nodes(declaration: Declaration, service: str) -> list[str]:
    return [node.name for node in declaration.list_service_nodes(service)]


def check_engines(view: NodeView) -> Iterator[Check]:
    """A row for each service that has a rank on this node, and for engines of no service."""
    ready_state = as_mapping(view.report.steps.get(STEP))
    for service in view.declaration.services:
        if view.node.name in _list_nodes(view.declaration, service) and service in ready_state:
            yield from _check_service(view, service, as_mapping(ready_state[service]))
    yield from _check_undeclared_engines(view)


def _check_service(view: NodeView, service: str, service_state: Json) -> Iterator[Check]:
    name, rank = f"service {service}", _list_nodes(view.declaration, service).index(view.node.name)
    rank_states = [as_mapping(rank_state) for rank_state in as_list(service_state.get("ranks"))]
    live = [rank_state for rank_state in rank_states if rank_state.get("alive")]
    dead = [rank_state for rank_state in rank_states if not rank_state.get("alive")]
    for rank_state in live:
        yield view.ok(name, f"rank {rank} runs as {rank_state['name']}{_format_token(rank_state)}")
    if not live:
        yield from (_fail_dead_rank(view, name, rank, rank_state) for rank_state in dead)
        if not dead:
            yield _report_absent_rank(view, name, rank, service_state)
    for reason in as_mapping(service_state.get("not_placed")).values():
        yield view.fail(
            name, f"Swarm says: {reason}", f"see the rows of Swarm's nodes; {RESTART_FIX}"
        )
    if live and service_state.get("completion"):
        yield _check_completion(view, name, as_mapping(service_state["completion"]))


def _format_token(rank: Json) -> str:
    """The digest shortened; its count whole, as it tells one start from the next."""
    digest, _, count = str(rank.get("token") or "").rpartition("-")
    return f", token {digest[:TOKEN_DIGITS]}…-{count}" if digest else ""


def _fail_dead_rank(view: NodeView, name: str, rank: int, rank_state: Json) -> Check:
    last_lines = [line for line in as_list(rank_state.get("last")) if str(line).strip()]
    log_tail = "".join(f"\n| {line}" for line in last_lines)
    message = f"rank {rank} is dead, {rank_state['name']}: {rank_state['ending']}{log_tail}"
    return view.fail(name, message, f"`sparkform logs` shows all of it; {RESTART_FIX}")


def _report_absent_rank(view: NodeView, name: str, rank: int, service_state: Json) -> Check:
    if service_state.get("unknown"):
        message = f"the state of rank {rank} is unknown: {service_state['unknown']}"
        return view.fail(name, message, "`sudo systemctl status docker` on the node")
    logs = as_list(service_state.get("kept"))
    message = f"rank {rank} has no engine here" + (f"; the last log is {logs[-1]}" if logs else "")
    if view.is_claimed:
        return view.fail(name, message, RESTART_FIX)
    return view.warn(name, message, "`pulumi up` starts it")


def _check_completion(view: NodeView, name: str, completion: Json) -> Check:
    if completion["status"] == 200:
        return view.ok(name, f"{completion['url']} completes one token in {completion['took_s']} s")
    if completion["status"] == 0:
        message = (
            f"{completion['url']} gives no answer within {completion['took_s']} s: "
            f"{completion['text']}"
        )
        fix = f"it may still be starting or hang: `sparkform logs --follow`; {RESTART_FIX}"
        return view.fail(name, message, fix)
    message = (
        f"{completion['url']} answers {completion['status']} to a completion: {completion['text']}"
    )
    fix = (
        "`pulumi up` hands the key out again"
        if completion["status"] in DENIED_STATUSES
        else RESTART_FIX
    )
    return view.fail(name, message, fix)


def _check_undeclared_engines(view: NodeView) -> Iterator[Check]:
    for container in view.facts.containers or ():
        service = container.labels.get(SERVICE)
        if service is not None and service not in view.declaration.services:
            message = f"{container.name} is of service {service}, which is not declared"
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
            message = f"its ranks are of different starts: {token_list}"
            yield Check(None, f"service {service}", "fail", message, RESTART_FIX)


def _list_tokens(service: str, reports: Mapping[str, NodeReport]) -> Iterator[tuple[str, str]]:
    for node, report in reports.items():
        service_state = as_mapping(as_mapping(report.steps.get(STEP)).get(service))
        for rank_state in map(as_mapping, as_list(service_state.get("ranks"))):
            if rank_state.get("alive") and rank_state.get("token"):
                yield node, str(rank_state["token"])


CHECKS = (check_engines,)
