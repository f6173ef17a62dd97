"""What has been seen of a start, and whether it can still come to a good end. Pure.

Times are seconds of one clock that only goes forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from node.ranks import signatures, stages
from node.ranks.running import Engine, ending
from node.ranks.signatures import Signature

APPEAR_S = 60.0
"""How long a member may take to be there: Swarm hands tasks out, Docker creates containers."""

LAST_WORDS_S = 1.0
"""A log may be written out a little after its writer has died."""

MOVED_BYTES = 64 * 2**20
"""Memory that comes or goes is a sign of progress: an engine reads weights without a word."""


@dataclass(frozen=True)
class Failure:
    """Why a start has come to its end. `symptom` is the line, or the fact, that showed it.

    `rule` is an id of rules.csv. `rank` and `node` say whose failure it is.
    """

    id: str
    what: str
    remedy: str
    symptom: str
    rank: int
    node: str
    rule: str | None = None


@dataclass(frozen=True)
class Hit:
    """A signature and the line that shows it."""

    signature: Signature
    line: str


@dataclass(frozen=True)
class Seen:
    """What a watch remembers between two looks."""

    began_s: float
    sign_s: float
    appeared: bool = False
    dead_s: float | None = None
    stage: str | None = None
    memory_bytes: int = 0
    fatal: Hit | None = None
    hint: Hit | None = None


@dataclass(frozen=True)
class Limits:
    """How long a start may take, and how long it may be silent, in seconds."""

    ready_s: float
    silence_s: float


def begin(now_s: float) -> Seen:
    return Seen(began_s=now_s, sign_s=now_s)


def after_lines(seen: Seen, lines: Iterable[str], rows: Sequence[Signature], now_s: float) -> Seen:
    """The first final signature stays; of the others the last one explains best."""
    for line in lines:
        if stages.is_sign_of_life(line):
            seen = replace(seen, sign_s=now_s, stage=stages.stage(line) or seen.stage)
        found = signatures.first(rows, line)
        if found is None:
            continue
        if not found.final:
            seen = replace(seen, hint=Hit(found, line))
        elif seen.fatal is None:
            seen = replace(seen, fatal=Hit(found, line))
    return seen


def after_look(seen: Seen, engine: Engine | None, now_s: float) -> Seen:
    if engine is None or not engine.alive:
        is_dead = seen.appeared or engine is not None
        return replace(seen, dead_s=seen.dead_s or now_s) if is_dead else seen
    return replace(seen, appeared=True, dead_s=None)


def after_memory(seen: Seen, memory_bytes: int | None, now_s: float) -> Seen:
    if memory_bytes is None or abs(memory_bytes - seen.memory_bytes) < MOVED_BYTES:
        return seen
    return replace(seen, memory_bytes=memory_bytes, sign_s=now_s)


@dataclass(frozen=True)
class Place:
    """Whose start is judged."""

    service: str
    rank: int
    node: str

    def failure(
        self, id: str, what: str, remedy: str, symptom: str, rule: str | None = None
    ) -> Failure:
        return Failure(id, what, remedy, symptom, self.rank, self.node, rule)


def after_others(seen: Seen, sign_s: float) -> Seen:
    """A rank that waits for one that still loads is not silent."""
    return replace(seen, sign_s=max(seen.sign_s, sign_s))


def verdict(
    seen: Seen, engine: Engine | None, place: Place, limits: Limits, now_s: float
) -> Failure | None:
    """None as long as there is hope."""
    if seen.fatal:
        return _by_signature(seen.fatal, place)
    if seen.dead_s is not None:
        return _dead(seen, engine, place) if now_s - seen.dead_s >= LAST_WORDS_S else None
    if not seen.appeared and now_s - seen.began_s > APPEAR_S:
        return place.failure(
            "no-member",
            f"its engine was never started on {place.node}",
            "`sudo docker ps -a`, in a Swarm `sudo docker service ps` on the head; `pulumi up`",
            f"nothing with this service's token within {APPEAR_S:g} s",
        )
    return _late(seen, place, limits, now_s)


def _late(seen: Seen, place: Place, limits: Limits, now_s: float) -> Failure | None:
    at = f"the last stage was: {seen.stage}" if seen.stage else "it had reached no stage"
    silent_s, all_s = now_s - seen.sign_s, now_s - seen.began_s
    # The others only wait for rank 0, some of them without ever saying a word (an sshd's log).
    if place.rank == 0 and silent_s > limits.silence_s:
        return place.failure(
            "silence",
            f"its engine hangs: {limits.silence_s:g} s without a line or other progress",
            "see the kept log's end; a start that needs longer gets silenceTimeoutSeconds",
            at,
        )
    if all_s > limits.ready_s:
        return place.failure(
            "not-ready",
            f"it gave no answer within {limits.ready_s:g} s",
            "a start that needs longer gets readyTimeoutSeconds",
            at,
        )
    return None


def _by_signature(hit: Hit, place: Place) -> Failure:
    found = hit.signature
    return place.failure(found.id, found.what, found.remedy, hit.line.strip(), found.rule)


def _dead(seen: Seen, engine: Engine | None, place: Place) -> Failure:
    if seen.hint:
        return _by_signature(seen.hint, place)
    if engine is None:
        return place.failure(
            "removed",
            f"its engine on {place.node} was removed while it started",
            "`pulumi up` starts the whole service again",
            "the container or unit is gone, or another has taken its place",
        )
    how = ending(engine)
    if engine.killed_for_memory:
        remedy = "`sparkform fit MODEL` has the sizes: lower maxSeqLen or the memory share"
        return place.failure("out-of-memory", "the engine is out of memory", remedy, how, "mem-fit")
    remedy = "see the last lines below; `pulumi up` starts the whole service again"
    return place.failure("dead-rank", f"its engine on {place.node} has ended", remedy, how)
