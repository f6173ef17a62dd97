"""What `doctor` asks of a node's engines: which ranks are there, how dead ones ended, one token.

request: {"services": [{"service", "url", "served_name", "key_file", "asks"}]}; `asks` where this
node is to ask for the token. The answer: {service: {"ranks": [{"kind", "name", "rank", "token",
"alive", "ending", "last"}], "completion": null or {"status", "text", "took_s"}, "kept": [paths]}}.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from node.engine import kept, members
from node.engine.running import Engine, ending
from node.plain import listing
from node.ready import probe
from node.system import System

LAST = 10
ASK_TIMEOUT_S = 3.5
"""Less than the time that a node has for all its answers."""


def look(system: System, request: Mapping[str, Any]) -> dict[str, Any]:
    """Empty where nothing is asked."""
    return {one["service"]: _service(system, one) for one in listing(request.get("services"))}


def _service(system: System, asked: Mapping[str, Any]) -> dict[str, Any]:
    service = str(asked["service"])
    secrets = kept.secrets_of(system, service)
    found = members.find(system, service)
    return {
        "ranks": [_rank(system, one, secrets) for one in found],
        "completion": _completion(system, asked, secrets) if asked.get("asks") else None,
        "kept": [f"{kept.folder(service)}/{name}" for name in kept.names(system, service)],
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
        "last": [kept.hidden(line.text, secrets) for line in lines[-LAST:]],
    }


def _completion(
    system: System, asked: Mapping[str, Any], secrets: tuple[str, ...]
) -> dict[str, Any]:
    key = (system.read(str(asked["key_file"])) or "").strip() if asked.get("key_file") else None
    question = probe.Question(asked["url"], asked["served_name"], key or None, ASK_TIMEOUT_S)
    began = time.monotonic()
    reply = probe.complete(question)
    return {
        "status": reply.status,
        "text": kept.hidden(reply.text[: probe.SHOWN], secrets),
        "took_s": round(time.monotonic() - began, 2),
    }
