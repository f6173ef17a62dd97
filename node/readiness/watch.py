"""One node's watch of a service that starts: looks in short slices until it is judged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from node.errors import Refusal
from node.host.system import System
from node.ranks import log_archive, members, signatures
from node.ranks.running import Engine
from node.readiness import judge, peers, probe, tasks
from node.readiness.interruption import Interruption
from node.readiness.judge import Failure, Limits, Place, Seen
from node.readiness.wanted import Wanted

SLICE_S = 0.5
MEMORY_EVERY_S = 5.0
TASKS_EVERY_S = 2.0
LINES_KEPT = 200_000
"""Of one start; engines print some thousands."""

Tell = Callable[[str], None]


@dataclass
class Watch:
    """What one watch holds while it runs."""

    system: System
    wanted: Wanted
    tell: Tell
    channel: peers.Channel
    probe: probe.Probe
    interruption: Interruption
    secrets: tuple[str, ...]
    seen: Seen
    engine: Engine | None = None
    cursor: str = ""
    memory_s: float = 0.0
    tasks_s: float = 0.0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    told: set[str | None] = field(default_factory=lambda: {None})

    @property
    def place(self) -> Place:
        return Place(self.wanted.service, self.wanted.here.rank, self.wanted.here.node)

    @property
    def limits(self) -> Limits:
        return Limits(self.wanted.ready_timeout_s, self.wanted.silence_timeout_s)

    @property
    def name(self) -> str:
        return f"{self.wanted.service} rank {self.wanted.here.rank}"


def until_judged(watch: Watch) -> Failure | None:
    """None: it answers. Raises Refusal when interrupted; the engine then goes on."""
    while True:
        failure = look(watch)
        if failure or watch.probe.answer is not None:
            return failure
        reason = watch.interruption.reason
        if reason:
            raise Refusal(
                f"The watch of {watch.name} has ended ({reason}). The engine goes on starting: "
                "the next `pulumi up` watches it again, and `sparkform logs` shows its log."
            )
        time.sleep(SLICE_S)


def look(watch: Watch) -> Failure | None:
    """One slice. First the engine, then its log: so a dead one's last words are read."""
    watch.engine = _engine(watch)
    now_s = time.monotonic()
    watch.seen = judge.after_look(watch.seen, watch.engine, now_s)
    read_log(watch, now_s)
    _weigh(watch, now_s)
    _share_signs(watch)
    own = judge.verdict(watch.seen, watch.engine, watch.place, watch.limits, now_s)
    return own or _from_others(watch) or _refused(watch)


def _share_signs(watch: Watch) -> None:
    """Only towards the head, which judges silence: an echo would never grow old."""
    if watch.wanted.is_head:
        watch.seen = judge.after_others(watch.seen, watch.channel.sign_s)
    else:
        watch.channel.own_sign_s = watch.seen.sign_s


def read_log(watch: Watch, now_s: float) -> None:
    """Take in the new lines, and say it when the start has come further.

    The ranks of an MPI launch speak in one log, so a stage that one of them comes to later is old.
    """
    if watch.engine is None:
        return
    found = members.read_log(watch.system, watch.engine, watch.cursor)
    watch.cursor = found[-1].cursor if found else watch.cursor
    texts = [log_archive.hidden(line.text, watch.secrets) for line in found]
    watch.lines.extend(texts)
    rows = signatures.of(watch.wanted.engine, watch.wanted.over_rdma)
    for text in texts:
        watch.seen = judge.after_lines(watch.seen, [text], rows, now_s)
        if watch.seen.stage not in watch.told:
            watch.told.add(watch.seen.stage)
            watch.tell(f"{watch.name}: {watch.seen.stage} ({int(now_s - watch.seen.began_s)} s)")


def _engine(watch: Watch) -> Engine | None:
    if watch.engine is not None:
        return members.look(watch.system, watch.engine)
    if watch.seen.appeared:
        return None
    found = members.find(watch.system, watch.wanted.service)
    ours = [one for one in found if one.token in (None, watch.wanted.token)]
    return next((one for one in ours if one.alive), ours[0] if ours else None)


def _weigh(watch: Watch, now_s: float) -> None:
    if watch.engine is None or now_s - watch.memory_s < MEMORY_EVERY_S:
        return
    watch.memory_s = now_s
    found = members.memory_bytes(watch.system, watch.engine)
    watch.seen = judge.after_memory(watch.seen, found, now_s)


def _from_others(watch: Watch) -> Failure | None:
    if watch.channel.heard:
        return watch.channel.heard
    now_s = time.monotonic()
    if now_s - watch.tasks_s < TASKS_EVERY_S:
        return None
    watch.tasks_s = now_s
    return tasks.trouble(watch.system, watch.wanted)


def _refused(watch: Watch) -> Failure | None:
    refusal = watch.probe.refusal
    if refusal is None:
        return None
    return watch.place.failure(
        "no-completion",
        "its API is open and completes nothing",
        "see the kept log's end; 401 or 403: `pulumi up` hands the key out again",
        log_archive.hidden(refusal, watch.secrets),
    )
