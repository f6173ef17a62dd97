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
class StartFailure:
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
class SignatureMatch:
    """A signature and the line that shows it."""

    signature: Signature
    line: str


@dataclass(frozen=True)
class WatchState:
    """What a watch remembers between two looks."""

    started_s: float
    progress_s: float
    appeared: bool = False
    died_s: float | None = None
    stage: str | None = None
    memory_bytes: int = 0
    fatal: SignatureMatch | None = None
    hint: SignatureMatch | None = None


@dataclass(frozen=True)
class Limits:
    """How long a start may take, and how long it may be silent, in seconds."""

    ready_s: float
    silence_s: float


def create_state(now_s: float) -> WatchState:
    return WatchState(started_s=now_s, progress_s=now_s)


def add_lines(
    state: WatchState, lines: Iterable[str], rows: Sequence[Signature], now_s: float
) -> WatchState:
    """The first final signature stays; of the others the last one explains best."""
    for line in lines:
        if stages.is_sign_of_life(line):
            state = replace(state, progress_s=now_s, stage=stages.find_stage(line) or state.stage)
        signature = signatures.find_first(rows, line)
        if signature is None:
            continue
        if not signature.final:
            state = replace(state, hint=SignatureMatch(signature, line))
        elif state.fatal is None:
            state = replace(state, fatal=SignatureMatch(signature, line))
    return state


def add_observation(state: WatchState, engine: Engine | None, now_s: float) -> WatchState:
    if engine is None or not engine.alive:
        is_dead = state.appeared or engine is not None
        return replace(state, died_s=state.died_s or now_s) if is_dead else state
    return replace(state, appeared=True, died_s=None)


def add_memory(state: WatchState, memory_bytes: int | None, now_s: float) -> WatchState:
    if memory_bytes is None or abs(memory_bytes - state.memory_bytes) < MOVED_BYTES:
        return state
    return replace(state, memory_bytes=memory_bytes, progress_s=now_s)


@dataclass(frozen=True)
class RankIdentity:
    """Whose start is judged."""

    service: str
    rank: int
    node: str

    def build_failure(
        self, id: str, summary: str, remedy: str, symptom: str, rule: str | None = None
    ) -> StartFailure:
        return StartFailure(id, summary, remedy, symptom, self.rank, self.node, rule)


def add_peer_progress(state: WatchState, sign_s: float) -> WatchState:
    """A rank that waits for one that still loads is not silent."""
    return replace(state, progress_s=max(state.progress_s, sign_s))


def find_failure(
    state: WatchState, engine: Engine | None, identity: RankIdentity, limits: Limits, now_s: float
) -> StartFailure | None:
    """None as long as there is hope."""
    if state.fatal:
        return _explain_by_signature(state.fatal, identity)
    if state.died_s is not None:
        return (
            _explain_death(state, engine, identity)
            if now_s - state.died_s >= LAST_WORDS_S
            else None
        )
    if not state.appeared and now_s - state.started_s > APPEAR_S:
        return identity.build_failure(
            "no-member",
            f"its engine was never started on {identity.node}",
            "`sudo docker ps -a`, in a Swarm `sudo docker service ps` on the head; `pulumi up`",
            f"nothing with this service's token within {APPEAR_S:g} s",
        )
    return _check_limits(state, identity, limits, now_s)


def _check_limits(
    state: WatchState, identity: RankIdentity, limits: Limits, now_s: float
) -> StartFailure | None:
    at = f"the last stage was: {state.stage}" if state.stage else "it had reached no stage"
    silent_s, all_s = now_s - state.progress_s, now_s - state.started_s
    # The others only wait for rank 0, some of them without ever saying a word (an sshd's log).
    if identity.rank == 0 and silent_s > limits.silence_s:
        return identity.build_failure(
            "silence",
            f"its engine hangs: {limits.silence_s:g} s without a line or other progress",
            "see the kept log's end; a start that needs longer gets silenceTimeoutSeconds",
            at,
        )
    if all_s > limits.ready_s:
        return identity.build_failure(
            "not-ready",
            f"it gave no answer within {limits.ready_s:g} s",
            "a start that needs longer gets readyTimeoutSeconds",
            at,
        )
    return None


def _explain_by_signature(hit: SignatureMatch, identity: RankIdentity) -> StartFailure:
    signature = hit.signature
    return identity.build_failure(
        signature.id, signature.summary, signature.remedy, hit.line.strip(), signature.rule
    )


def _explain_death(
    state: WatchState, engine: Engine | None, identity: RankIdentity
) -> StartFailure:
    if state.hint:
        return _explain_by_signature(state.hint, identity)
    if engine is None:
        return identity.build_failure(
            "removed",
            f"its engine on {identity.node} was removed while it started",
            "`pulumi up` starts the whole service again",
            "the container or unit is gone, or another has taken its place",
        )
    exit_text = ending(engine)
    if engine.killed_for_memory:
        remedy = "`sparkform fit MODEL` has the sizes: lower maxSeqLen or the memory share"
        return identity.build_failure(
            "out-of-memory", "the engine is out of memory", remedy, exit_text, "mem-fit"
        )
    remedy = "see the last lines below; `pulumi up` starts the whole service again"
    return identity.build_failure(
        "dead-rank", f"its engine on {identity.node} has ended", remedy, exit_text
    )
