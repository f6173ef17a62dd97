"""One node's watch of a service that starts: looks in short slices until it is judged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from node.errors import StepError
from node.host.system import System
from node.ranks import log_archive, members, signatures
from node.ranks.running import Engine
from node.readiness import judge, peers, probe, tasks
from node.readiness.interruption import Interruption
from node.readiness.judge import Limits, RankIdentity, StartFailure, WatchState
from node.readiness.wanted import WatchTarget

SLICE_S = 0.5
MEMORY_EVERY_S = 5.0
TASKS_EVERY_S = 2.0
LINES_KEPT = 200_000
"""Of one start; engines print some thousands."""

Reporter = Callable[[str], None]


@dataclass
class RankWatch:
    """What one watch holds while it runs."""

    system: System
    target: WatchTarget
    report: Reporter
    channel: peers.PeerChannel
    probe: probe.CompletionProbe
    interruption: Interruption
    secrets: tuple[str, ...]
    state: WatchState
    engine: Engine | None = None
    cursor: str = ""
    memory_read_s: float = 0.0
    tasks_read_s: float = 0.0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    reported_stages: set[str | None] = field(default_factory=lambda: {None})

    @property
    def identity(self) -> RankIdentity:
        return RankIdentity(
            self.target.service, self.target.local_rank.rank, self.target.local_rank.node
        )

    @property
    def limits(self) -> Limits:
        return Limits(self.target.ready_timeout_s, self.target.silence_timeout_s)

    @property
    def name(self) -> str:
        return f"{self.target.service} rank {self.target.local_rank.rank}"


def watch_until_judged(watch: RankWatch) -> StartFailure | None:
    """None: it answers. Raises Refusal when interrupted; the engine then goes on."""
    while True:
        failure = observe_slice(watch)
        if failure or watch.probe.answer is not None:
            return failure
        reason = watch.interruption.reason
        if reason:
            raise StepError(
                f"The watch of {watch.name} has ended ({reason}). The engine goes on starting: "
                "the next `pulumi up` watches it again, and `sparkform logs` shows its log."
            )
        time.sleep(SLICE_S)


def observe_slice(watch: RankWatch) -> StartFailure | None:
    """One slice. First the engine, then its log: so a dead one's last words are read."""
    watch.engine = _find_engine(watch)
    now_s = time.monotonic()
    watch.state = judge.add_observation(watch.state, watch.engine, now_s)
    read_log(watch, now_s)
    _read_memory(watch, now_s)
    _share_progress(watch)
    own_failure = judge.find_failure(watch.state, watch.engine, watch.identity, watch.limits, now_s)
    return own_failure or _find_peer_failure(watch) or _find_api_refusal(watch)


def _share_progress(watch: RankWatch) -> None:
    """Only towards the head, which judges silence: an echo would never grow old."""
    if watch.target.is_head:
        watch.state = judge.add_peer_progress(watch.state, watch.channel.sign_s)
    else:
        watch.channel.own_sign_s = watch.state.progress_s


def read_log(watch: RankWatch, now_s: float) -> None:
    """Take in the new lines, and say it when the start has come further.

    The ranks of an MPI launch speak in one log, so a stage that one of them comes to later is old.
    """
    if watch.engine is None:
        return
    log_lines = members.read_log(watch.system, watch.engine, watch.cursor)
    watch.cursor = log_lines[-1].cursor if log_lines else watch.cursor
    texts = [log_archive.hide_secrets(line.text, watch.secrets) for line in log_lines]
    watch.lines.extend(texts)
    rows = signatures.list_for(watch.target.engine, watch.target.over_rdma)
    for text in texts:
        watch.state = judge.add_lines(watch.state, [text], rows, now_s)
        if watch.state.stage not in watch.reported_stages:
            watch.reported_stages.add(watch.state.stage)
            watch.report(
                f"{watch.name}: {watch.state.stage} ({int(now_s - watch.state.started_s)} s)"
            )


def _find_engine(watch: RankWatch) -> Engine | None:
    if watch.engine is not None:
        return members.look(watch.system, watch.engine)
    if watch.state.appeared:
        return None
    engines = members.find(watch.system, watch.target.service)
    own_engines = [engine for engine in engines if engine.token in (None, watch.target.token)]
    return next(
        (engine for engine in own_engines if engine.alive), own_engines[0] if own_engines else None
    )


def _read_memory(watch: RankWatch, now_s: float) -> None:
    if watch.engine is None or now_s - watch.memory_read_s < MEMORY_EVERY_S:
        return
    watch.memory_read_s = now_s
    memory_bytes = members.memory_bytes(watch.system, watch.engine)
    watch.state = judge.add_memory(watch.state, memory_bytes, now_s)


def _find_peer_failure(watch: RankWatch) -> StartFailure | None:
    if watch.channel.peer_failure:
        return watch.channel.peer_failure
    now_s = time.monotonic()
    if now_s - watch.tasks_read_s < TASKS_EVERY_S:
        return None
    watch.tasks_read_s = now_s
    return tasks.find_unplaced_member(watch.system, watch.target)


def _find_api_refusal(watch: RankWatch) -> StartFailure | None:
    refusal = watch.probe.refusal
    if refusal is None:
        return None
    return watch.identity.build_failure(
        "no-completion",
        "its API is open and completes nothing",
        "see the kept log's end; 401 or 403: `pulumi up` hands the key out again",
        log_archive.hide_secrets(refusal, watch.secrets),
    )
