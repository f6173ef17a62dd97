"""From the start of a service's ranks until it answers or is ended: one watch on each node."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from node.errors import Refusal
from node.host.system import System
from node.ranks import log_archive
from node.readiness import abort, judge, peers, probe, watch
from node.readiness.interruption import Interruption
from node.readiness.wanted import Wanted, parse
from node.state.lock import aloud


def wait(system: System, want: Mapping[str, Any], node: str) -> list[str]:
    """Raises Refusal with the failure, what to do, and the log's end; the engine is then gone."""
    wanted = parse(want, node)
    if wanted.is_loopback and not wanted.is_head:
        return [f"{wanted.service} answers on its head's node only, whose watch sees it"]
    one = _begin(system, wanted)
    try:
        failure = watch.until_judged(one)
        if failure:
            raise abort.abort(one, failure)
    finally:
        one.channel.closed.set()
        one.probe.closed.set()
    took_s = int(time.monotonic() - one.seen.began_s)
    return [f"{one.name}: ready, {wanted.url} answers ({took_s} s)"]


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
        secrets=(*log_archive.secrets_of(system, wanted.service), *([key] if key else [])),
        seen=judge.begin(time.monotonic()),
    )


def _key(system: System, wanted: Wanted) -> str | None:
    if wanted.key_file is None or not wanted.is_head:
        return None
    found = (system.read(wanted.key_file) or "").strip()
    if not found:
        raise Refusal(f"{wanted.key_file} is missing or empty; `pulumi up` writes it again.")
    return found
