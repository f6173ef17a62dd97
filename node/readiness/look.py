"""What `doctor` asks of a node's engines: which ranks are there, how dead ones ended, one token.

request: {"services": [{"service", "asks", "served_name", "bind", "address", "port", "key_file",
"swarm_names"}]}. `asks` where this node is to ask for the token, at `bind`, or where that means all
addresses at `address`; null: the one behind the default route. `swarm_names`: this node's manager
is asked why they do not run. The answer: {service: {"ranks": [{"kind", "name", "rank", "token",
"alive", "ending", "last"}], "completion": null or {"url", "status", "text", "took_s"},
"not_placed": {Swarm name: why}, "kept": [paths]}}.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Mapping
from typing import Any

from node.host.plain import listing
from node.host.system import System
from node.ranks import log_archive, members
from node.ranks.running import Engine, ending
from node.readiness import probe, tasks

LAST = 10
ASK_TIMEOUT_S = 3.5
"""Less than the time that a node has for all its answers."""

ELSEWHERE = ("192.0.2.1", 9)
"""An address of nobody (RFC 5737): the way there is the default route. Nothing is sent."""

Json = Mapping[str, Any]


def look(system: System, request: Json) -> dict[str, Any]:
    """Empty where nothing is asked."""
    return {one["service"]: _service(system, one) for one in listing(request.get("services"))}


def _service(system: System, asked: Json) -> dict[str, Any]:
    service = str(asked["service"])
    secrets = log_archive.secrets_of(system, service)
    found = members.find(system, service)
    return {
        "ranks": [_rank(system, one, secrets) for one in found],
        "completion": _completion(system, asked, secrets) if asked["asks"] else None,
        "not_placed": _not_placed(system, asked["swarm_names"]),
        "kept": [
            f"{log_archive.folder(service)}/{name}" for name in log_archive.names(system, service)
        ],
    }


def _rank(system: System, engine: Engine, secrets: tuple[str, ...]) -> dict[str, Any]:
    lines = [] if engine.alive else members.read_log(system, engine)
    return {
        "kind": engine.kind,
        "name": engine.name,
        "rank": engine.rank,
        "token": engine.token,
        "alive": engine.alive,
        "ending": None if engine.alive else ending(engine),
        "last": [log_archive.hidden(line.text, secrets) for line in lines[-LAST:]],
    }


def _completion(system: System, asked: Json, secrets: tuple[str, ...]) -> dict[str, Any]:
    key = (system.read(asked["key_file"]) or "").strip()
    url = f"http://{_host(asked)}:{asked['port']}"
    began = time.monotonic()
    question = probe.Question(url, asked["served_name"], key or None, ASK_TIMEOUT_S)
    reply = probe.complete(question)
    return {
        "url": url,
        "status": reply.status,
        "text": log_archive.hidden(reply.text[: probe.SHOWN], secrets),
        "took_s": round(time.monotonic() - began, 2),
    }


def _host(asked: Json) -> str:
    bind = ipaddress.ip_address(asked["bind"])
    if bind.is_unspecified:
        return str(asked["address"] or own_address())
    return f"[{bind}]" if bind.version == 6 else str(bind)


def own_address() -> str:
    """The address behind the default route; the loopback one where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(ELSEWHERE)
        except OSError:
            return "127.0.0.1"
        return str(way.getsockname()[0])


def _not_placed(system: System, names: list[str]) -> dict[str, str]:
    found = {name: tasks.trouble_of(system, name) for name in names}
    return {name: why for name, why in found.items() if why}
