"""The state of a start, and whether it can still succeed. Pure.

`judge` adds one event to the state. The first outcome stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from node.ranks import signatures, stages
from node.ranks.rank import Rank
from node.ranks.signatures import Signature
from node.readiness import diagnosis
from node.readiness.diagnosis import SignatureMatch
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
from node.readiness.failure import RankIdentity, StartFailure

APPEAR_S = 60.0
"""How long a rank may take to appear: Swarm hands tasks out, Docker creates containers."""

LAST_WORDS_S = 1.0
"""A log may be written out a little after its writer has died."""

MOVED_BYTES = 64 * 2**20
"""Memory that comes or goes is a sign of progress: an engine reads weights without printing."""


@dataclass(frozen=True)
class Ready:
    """The service answers. `took_s` from the watch's beginning on."""

    took_s: float


@dataclass(frozen=True)
class Limits:
    """How long a start may take, and how long it may be silent, in seconds."""

    ready_s: float
    silence_s: float


@dataclass(frozen=True)
class WatchState:
    """Whose start is judged, by which limits and signatures, and what is known of it so far.

    `rank` is as it was last known, `unknown` why it is not known now. `progress_s` and `died_s`
    are times of the events' clock, as `started_s`, when the watch began.
    """

    identity: RankIdentity
    limits: Limits
    signatures: tuple[Signature, ...]
    started_s: float
    progress_s: float
    rank: Rank | None = None
    unknown: str | None = None
    has_appeared: bool = False
    died_s: float | None = None
    stage: str | None = None
    memory_bytes: int = 0
    fatal: SignatureMatch | None = None
    hint: SignatureMatch | None = None
    outcome: StartFailure | Ready | None = None


def judge(state: WatchState, event: Event) -> WatchState:
    """The state after an event. `Ticked` decides on what the earlier events have left."""
    return state if state.outcome is not None else _take(state, event)


def _take(state: WatchState, event: Event) -> WatchState:
    match event:
        case RankObserved():
            return _add_observation(state, event)
        case LinePrinted():
            return _add_line(state, event)
        case MemoryRead():
            return _add_memory(state, event)
        case PeerProgressed():
            # A rank that waits for one that still loads is not silent.
            return replace(state, progress_s=max(state.progress_s, event.at_s))
        case FailureReported():
            return replace(state, outcome=event.failure)
        case Answered():
            return replace(state, outcome=Ready(event.at_s - state.started_s))
        case Ticked():
            return replace(state, outcome=_find_failure(state, event.at_s))


def _add_observation(state: WatchState, event: RankObserved) -> WatchState:
    if event.unknown is not None:
        return replace(state, unknown=event.unknown)
    rank = event.rank
    if rank is not None and not rank.has_ended:
        return replace(state, rank=rank, unknown=None, has_appeared=True, died_s=None)
    is_dead = state.has_appeared or rank is not None
    died_s = (state.died_s or event.at_s) if is_dead else state.died_s
    return replace(state, rank=rank, unknown=None, died_s=died_s)


def _add_line(state: WatchState, event: LinePrinted) -> WatchState:
    """The first final signature stays; of the hints the last one explains best.

    Of the symptoms it is the first, and a hint is better than any.
    """
    if stages.is_sign_of_life(event.text):
        stage = stages.find_stage(event.text) or state.stage
        state = replace(state, progress_s=event.at_s, stage=stage)
    signature = signatures.find_first(state.signatures, event.text)
    if signature is None:
        return state
    match = SignatureMatch(signature, event.text)
    if signature.final:
        return replace(state, fatal=state.fatal or match)
    if signature.is_symptom:
        return replace(state, hint=state.hint or match)
    return replace(state, hint=match)


def _add_memory(state: WatchState, event: MemoryRead) -> WatchState:
    if abs(event.memory_bytes - state.memory_bytes) < MOVED_BYTES:
        return state
    return replace(state, memory_bytes=event.memory_bytes, progress_s=event.at_s)


def _find_failure(state: WatchState, now_s: float) -> StartFailure | None:
    """None while the start may still succeed."""
    identity = state.identity
    if state.fatal:
        return diagnosis.explain_signature(identity, state.fatal)
    if state.died_s is not None:
        is_final = now_s - state.died_s >= LAST_WORDS_S
        return diagnosis.explain_death(identity, state.rank, state.hint) if is_final else None
    if state.has_appeared or state.unknown:
        return _check_limits(state, now_s)
    if now_s - state.started_s > APPEAR_S:
        return diagnosis.explain_absence(identity, APPEAR_S)
    return _check_limits(state, now_s)


def _check_limits(state: WatchState, now_s: float) -> StartFailure | None:
    symptom = diagnosis.format_progress(state.stage, state.unknown)
    # The others only wait for rank 0, some of them without ever printing a line (an sshd's log).
    if state.identity.rank == 0 and now_s - state.progress_s > state.limits.silence_s:
        return diagnosis.explain_silence(state.identity, state.limits.silence_s, symptom)
    if now_s - state.started_s > state.limits.ready_s:
        return diagnosis.explain_lateness(state.identity, state.limits.ready_s, symptom)
    return None
