"""From the start of a service's ranks until it answers or is stopped: one watch on each node."""

from __future__ import annotations

import time
from collections.abc import Sequence

from node.errors import StepError
from node.host.output import print_now
from node.host.system import System
from node.ranks import log_archive, signatures
from node.readiness import abort, peers, probe
from node.readiness.failure import RankIdentity, StartFailure
from node.readiness.interruption import Interruption
from node.readiness.judge import Limits, WatchState
from node.readiness.page_cache import PageCacheGuard
from node.readiness.peers import PeerChannel
from node.readiness.probe import CompletionProbe, CompletionRequest
from node.readiness.target import WatchTarget, find_target
from node.readiness.want import Want
from node.readiness.watch import RankWatch, run_watch


def wait_until_ready(system: System, want: Want, node: str) -> list[str]:
    """Raises StepError with the failure, what to do, and the log's end; the engine is then gone."""
    target = find_target(want, node)
    if target.is_loopback and not target.is_head:
        return [f"{target.service}: listens on its head node only and is probed there"]
    key = read_api_key(system, target)
    watch = build_watch(
        system, target, peers.start(target), _start_probe(target, key), [key] if key else []
    )
    try:
        outcome = run_watch(watch, Interruption())
        if isinstance(outcome, StartFailure):
            raise abort.abort(watch, outcome)
    finally:
        watch.channel.closed.set()
        watch.probe.closed.set()
    return [f"{watch.name}: ready, {target.url} answers ({int(outcome.took_s)} s)"]


def _start_probe(target: WatchTarget, key: str | None) -> CompletionProbe:
    return probe.start(
        build_request(target, key), target.key_file is not None and not target.is_head
    )


def build_request(target: WatchTarget, key: str | None) -> CompletionRequest:
    """What an answer to proves that the service serves."""
    limit_s = target.silence_timeout_s
    return CompletionRequest(target.url, target.served_name, key, limit_s, task=target.task)


def build_watch(
    system: System,
    target: WatchTarget,
    channel: PeerChannel,
    completion_probe: CompletionProbe,
    secrets: Sequence[str],
) -> RankWatch:
    return RankWatch(
        system=system,
        target=target,
        report=print_now,
        channel=channel,
        probe=completion_probe,
        secrets=(*log_archive.read_secrets(system, target.service), *secrets),
        state=_create_state(target, time.monotonic()),
        page_cache=PageCacheGuard(system),
    )


def _create_state(target: WatchTarget, now_s: float) -> WatchState:
    local = target.local_rank
    return WatchState(
        identity=RankIdentity(target.service, local.rank, local.node),
        limits=Limits(target.ready_timeout_s, target.silence_timeout_s),
        signatures=signatures.list_for(target.engine, target.over_rdma),
        started_s=now_s,
        progress_s=now_s,
    )


def read_api_key(system: System, target: WatchTarget) -> str | None:
    if target.key_file is None or not target.is_head:
        return None
    key = (system.read(target.key_file) or "").strip()
    if not key:
        raise StepError(f"{target.key_file} is missing or empty; `pulumi up` writes it again.")
    return key
