"""One node's watch of a rank: it observes in short slices, and the judge decides.

All effects are here; the state is the judge's.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from node.errors import StepError
from node.host.docker_query import DockerUnknown
from node.host.system import System
from node.ranks import finding, log_archive
from node.ranks.rank import Rank
from node.readiness import diagnosis, peers, placement, probe
from node.readiness.events import (
    Answered,
    Event,
    FailureReported,
    LinePrinted,
    MemoryRead,
    PeerProgressed,
    RankObserved,
    Ticked,
)
from node.readiness.failure import StartFailure
from node.readiness.interruption import Interruption
from node.readiness.judge import Ready, WatchState, judge
from node.readiness.page_cache import PageCacheGuard
from node.readiness.target import WatchTarget

SLICE_S = 0.5
MEMORY_EVERY_S = 5.0
PLACEMENT_EVERY_S = 2.0
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
    secrets: tuple[str, ...]
    state: WatchState
    page_cache: PageCacheGuard
    cursor: str = ""
    memory_read_s: float = 0.0
    placement_read_s: float = 0.0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    reported_stages: set[str | None] = field(default_factory=lambda: {None})

    @property
    def name(self) -> str:
        return f"{self.target.service} rank {self.target.local_rank.rank}"


def run_watch(watch: RankWatch, interruption: Interruption) -> StartFailure | Ready:
    """Watch until the judge decides. Raises StepError when interrupted; the engine then goes on."""
    while True:
        outcome = observe_slice(watch)
        if outcome is not None:
            return outcome
        reason = interruption.reason
        if reason:
            raise StepError(
                f"Watch of {watch.name} interrupted ({reason}); the engine keeps starting. The "
                "next `pulumi up` resumes the watch, and `sparkform logs` shows its log."
            )
        time.sleep(SLICE_S)


def observe_slice(watch: RankWatch) -> StartFailure | Ready | None:
    """Look once, and judge. The supervisor of a service goes on with this."""
    for event in _observe(watch):
        take_event(watch, event)
        if watch.state.outcome is not None:
            break
    return watch.state.outcome


def take_event(watch: RankWatch, event: Event) -> None:
    """Judge an event, and report a new stage of the start.

    The ranks of an MPI launch print to one log, so a stage that one of them comes to later is old.
    """
    watch.state = judge(watch.state, event)
    stage = watch.state.stage
    if stage not in watch.reported_stages:
        watch.reported_stages.add(stage)
        watch.report(f"{watch.name}: {stage} ({int(event.at_s - watch.state.started_s)} s)")


def read_log(watch: RankWatch) -> Iterator[LinePrinted]:
    """The lines that are new, without secrets."""
    rank = watch.state.rank
    if rank is None:
        return
    log_lines = finding.read_log(watch.system, rank, watch.cursor)
    watch.cursor = log_lines[-1].cursor if log_lines else watch.cursor
    now_s = time.monotonic()
    for line in log_lines:
        text = log_archive.hide_secrets(line.text, watch.secrets)
        watch.lines.append(text)
        yield LinePrinted(now_s, text)


def _observe(watch: RankWatch) -> Iterator[Event]:
    """One slice. First the rank, then its log: so the last lines of an ended one are read."""
    guarded = watch.page_cache.watch()
    if guarded:
        watch.report(f"{watch.name}: {guarded}")
    yield _observe_rank(watch)
    yield from read_log(watch)
    yield from _read_memory(watch)
    yield from _share_progress(watch)
    yield Ticked(time.monotonic())
    yield from _find_reported_failures(watch)
    if watch.probe.answer is not None:
        yield Answered(time.monotonic())


def _observe_rank(watch: RankWatch) -> RankObserved:
    now_s, rank = time.monotonic(), watch.state.rank
    if rank is None:
        return _find_rank(watch, now_s)
    try:
        return RankObserved(now_s, finding.refresh_rank(watch.system, rank))
    except DockerUnknown as error:
        return RankObserved(now_s, rank, unknown=str(error))


def _find_rank(watch: RankWatch, now_s: float) -> RankObserved:
    """The one of this run; of several the one that runs. One that is gone is not sought again."""
    if watch.state.has_appeared:
        return RankObserved(now_s, None)
    local = finding.find_local_ranks(watch.system, watch.target.service)
    ranks = [rank for rank in local.ranks if rank.is_started and rank.token == watch.target.token]
    ranks.sort(key=_is_over)
    return RankObserved(now_s, ranks[0] if ranks else None, None if ranks else local.unknown)


def _is_over(rank: Rank) -> bool:
    return rank.has_ended


def _read_memory(watch: RankWatch) -> Iterator[MemoryRead]:
    now_s, rank = time.monotonic(), watch.state.rank
    if rank is None or now_s - watch.memory_read_s < MEMORY_EVERY_S:
        return
    watch.memory_read_s = now_s
    memory_bytes = finding.read_memory_bytes(watch.system, rank)
    if memory_bytes is not None:
        yield MemoryRead(now_s, memory_bytes)


def _share_progress(watch: RankWatch) -> Iterator[PeerProgressed]:
    """Only towards the head, which judges silence: an echo would never grow old."""
    if watch.target.is_head:
        yield PeerProgressed(watch.channel.peer_progress_s)
    else:
        watch.channel.own_progress_s = watch.state.progress_s


def _find_reported_failures(watch: RankWatch) -> Iterator[FailureReported]:
    now_s = time.monotonic()
    if watch.channel.peer_failure:
        yield FailureReported(now_s, watch.channel.peer_failure)
    if now_s - watch.placement_read_s >= PLACEMENT_EVERY_S:
        watch.placement_read_s = now_s
        unplaced = placement.find_unplaced_rank(watch.system, watch.target)
        if unplaced:
            yield FailureReported(now_s, unplaced)
    if watch.probe.refusal is not None:
        reply = log_archive.hide_secrets(watch.probe.refusal, watch.secrets)
        yield FailureReported(now_s, diagnosis.explain_refusal(watch.state.identity, reply))
