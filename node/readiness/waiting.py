"""From the start of a service's ranks until it answers or is ended: one watch on each node."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from node.errors import StepError
from node.host.system import System
from node.ranks import log_archive
from node.readiness import abort, judge, peers, probe, watch
from node.readiness.interruption import Interruption
from node.readiness.wanted import WatchTarget, parse
from node.state.lock import print_now


def wait_until_ready(system: System, want: Mapping[str, Any], node: str) -> list[str]:
    """Raises Refusal with the failure, what to do, and the log's end; the engine is then gone."""
    target = parse(want, node)
    if target.is_loopback and not target.is_head:
        return [f"{target.service} answers on its head's node only, whose watch sees it"]
    watch_run = _start_watch(system, target)
    try:
        failure = watch.watch_until_judged(watch_run)
        if failure:
            raise abort.abort(watch_run, failure)
    finally:
        watch_run.channel.closed.set()
        watch_run.probe.closed.set()
    took_s = int(time.monotonic() - watch_run.state.started_s)
    return [f"{watch_run.name}: ready, {target.url} answers ({took_s} s)"]


def _start_watch(system: System, target: WatchTarget) -> watch.RankWatch:
    key = _read_key(system, target)
    question = probe.CompletionRequest(
        target.url, target.served_name, key, target.silence_timeout_s
    )
    has_no_key = target.key_file is not None and not target.is_head
    return watch.RankWatch(
        system=system,
        target=target,
        report=print_now,
        channel=peers.start(target),
        probe=probe.start(question, has_no_key),
        interruption=Interruption(),
        secrets=(*log_archive.read_secrets(system, target.service), *([key] if key else [])),
        state=judge.create_state(time.monotonic()),
    )


def _read_key(system: System, target: WatchTarget) -> str | None:
    if target.key_file is None or not target.is_head:
        return None
    key = (system.read(target.key_file) or "").strip()
    if not key:
        raise StepError(f"{target.key_file} is missing or empty; `pulumi up` writes it again.")
    return key
