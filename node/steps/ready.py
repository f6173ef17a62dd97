"""Wait until a service answers, on each node that runs a rank of it; end it safely if it cannot.

want: {"service", "token", "engine", "runtime", "members": [{"rank", "node", "container" or "unit",
"management_address"}], "url", "served_name", "ready_timeout_s", "silence_timeout_s", "key_file",
"over_rdma", "checked": {step: {"owner", "run"}}} (node.ready.wanted). The head's node, that of rank
0, asks for one token over the public address; the others see that it was given. The step changes
nothing that the node's lock guards, and does not hold it: it may wait for an hour.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from node.engine import kept
from node.errors import Refusal
from node.journal import Journal
from node.lock import aloud
from node.ready import abort, judge, look, peers, probe, watch
from node.ready.interruption import Interruption
from node.ready.wanted import Wanted, parse
from node.steps.stateless import differences, disturbs, narrow
from node.system import System

Json = Mapping[str, Any]
__all__ = ["apply", "differences", "disturbs", "narrow", "observe"]


def observe(system: System, request: Json) -> dict[str, Any]:
    """It has no state of its own; but who asks for it gets the engines looked at."""
    return look.look(system, request)


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    """Raises Refusal with the failure, what to do, and the log's end; the engine is then gone."""
    wanted = parse(want, node_of(journal.owner))
    if wanted.is_loopback and not wanted.is_head:
        return [f"{wanted.service} answers on its head's node only, whose watch sees it"]
    one = _begin(journal.system, wanted)
    try:
        failure = watch.until_judged(one)
        if failure:
            raise abort.abort(one, failure)
    finally:
        one.channel.closed.set()
        one.probe.closed.set()
    took_s = int(time.monotonic() - one.seen.began_s)
    return [f"{one.name}: ready, {wanted.url} answers ({took_s} s)"]


def node_of(owner: str) -> str:
    """
    >>> node_of("spark/demo/spark-1/ready:qwen")
    'spark-1'
    """
    return owner.split("/")[2]


def _begin(system: System, wanted: Wanted) -> watch.Watch:
    key = _key(system, wanted)
    question = probe.Question(wanted.url, wanted.served_name, key, wanted.silence_timeout_s)
    has_no_key = wanted.key_file is not None and not wanted.is_head
    return watch.Watch(
        system=system,
        wanted=wanted,
        tell=aloud,
        channel=peers.start(wanted),
        probe=probe.start(question, has_no_key),
        interruption=Interruption(),
        secrets=(*kept.secrets_of(system, wanted.service), *([key] if key else [])),
        seen=judge.begin(time.monotonic()),
    )


def _key(system: System, wanted: Wanted) -> str | None:
    if wanted.key_file is None or not wanted.is_head:
        return None
    found = (system.read(wanted.key_file) or "").strip()
    if not found:
        raise Refusal(f"{wanted.key_file} is missing or empty; `pulumi up` writes it again.")
    return found
