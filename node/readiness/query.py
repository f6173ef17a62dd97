"""What `doctor` reads of a node's engines: its ranks, how ended ones ended, one token.

request: {"services": [ServiceQuery]}.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Mapping, Sequence
from typing import TypedDict

from node.host.plain import as_list
from node.host.system import System
from node.ranks import log_archive
from node.ranks.finding import find_local_ranks, find_swarm_ranks, read_log
from node.ranks.rank import Rank, format_exit
from node.readiness import probe

LAST_LINES = 10
ASK_TIMEOUT_S = 3.5
"""Less than a node's time limit for all its answers."""

UNREACHABLE_ADDRESS = ("192.0.2.1", 9)
"""An address that is never assigned (RFC 5737), so by the default route. Nothing is sent."""


class ServiceQuery(TypedDict):
    """`asks` where this node is to request the token, at `bind`, or where that means all addresses
    at `address`; null: the one behind the default route. `swarm_names`: those for which this
    node's manager tells why they do not run."""

    service: str
    asks: bool
    served_name: str
    task: probe.Task
    bind: str
    address: str | None
    port: int
    key_file: str
    swarm_names: list[str]


class RankAnswer(TypedDict):
    """`ending` and the `last` lines are of a rank that has ended."""

    kind: str
    name: str
    rank: int | None
    token: str
    alive: bool
    ending: str | None
    last: list[str]


class CompletionAnswer(TypedDict):
    url: str
    status: int
    text: str
    took_s: float


class ServiceAnswer(TypedDict):
    """`unknown`: why there may be other ranks, where Docker does not answer. `not_placed`: why, by
    Swarm name. `kept`: paths of kept logs."""

    ranks: list[RankAnswer]
    unknown: str | None
    completion: CompletionAnswer | None
    not_placed: dict[str, str]
    kept: list[str]


def query(system: System, request: Mapping[str, object]) -> dict[str, ServiceAnswer]:
    """By service; empty where nothing is asked."""
    services: list[ServiceQuery] = as_list(request.get("services"))
    return {service["service"]: _query_service(system, service) for service in services}


def _query_service(system: System, request: ServiceQuery) -> ServiceAnswer:
    service = request["service"]
    secrets = log_archive.read_secrets(system, service)
    local = find_local_ranks(system, service)
    folder = log_archive.get_folder(service)
    return {
        "ranks": [_describe_rank(system, rank, secrets) for rank in local.ranks if rank.is_started],
        "unknown": local.unknown,
        "completion": _request_completion(system, request, secrets) if request["asks"] else None,
        "not_placed": _list_not_placed(system, request["swarm_names"]),
        "kept": [f"{folder}/{name}" for name in log_archive.list_logs(system, service)],
    }


def _describe_rank(system: System, rank: Rank, secrets: tuple[str, ...]) -> RankAnswer:
    lines = read_log(system, rank) if rank.has_ended else []
    return {
        "kind": rank.kind,
        "name": rank.name,
        "rank": rank.rank,
        "token": rank.token,
        "alive": not rank.has_ended,
        "ending": format_exit(rank) if rank.has_ended else None,
        "last": [log_archive.hide_secrets(line.text, secrets) for line in lines[-LAST_LINES:]],
    }


def _request_completion(
    system: System, request: ServiceQuery, secrets: tuple[str, ...]
) -> CompletionAnswer:
    key = (system.read(request["key_file"]) or "").strip()
    url = f"http://{_get_host(request)}:{request['port']}"
    started_s = time.monotonic()
    question = probe.CompletionRequest(
        url, request["served_name"], key or None, ASK_TIMEOUT_S, task=request["task"]
    )
    reply = probe.request_completion(question)
    return {
        "url": url,
        "status": reply.status,
        "text": log_archive.hide_secrets(reply.text[: probe.SHOWN], secrets),
        "took_s": round(time.monotonic() - started_s, 2),
    }


def _get_host(request: ServiceQuery) -> str:
    bind = ipaddress.ip_address(request["bind"])
    if bind.is_unspecified:
        return str(request["address"] or find_own_address())
    return f"[{bind}]" if bind.version == 6 else str(bind)


def find_own_address() -> str:
    """The address behind the default route; the loopback one where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe_socket:
        try:
            probe_socket.connect(UNREACHABLE_ADDRESS)
        except OSError:
            return "127.0.0.1"
        return str(probe_socket.getsockname()[0])


def _list_not_placed(system: System, names: Sequence[str]) -> dict[str, str]:
    """Empty on a node whose Swarm has none of these."""
    if not names:
        return {}
    ranks = find_swarm_ranks(system).ranks
    errors = {rank.name: rank.placement_error for rank in ranks if rank.name in names}
    return {name: error for name, error in errors.items() if error}
