"""Whether an engine that serves is alive, judged by its signs and by canaries. Pure.

`judge_pulse` adds one event to the state. A sign is a figure of the engine that moves only while it
works. A canary is a request for one token: it is sent where no sign moves, or where something is
suspicious. Its miss counts only if no sign moved meanwhile: a busy engine lets it wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from node.supervision.target import SupervisionLimits

QUEUE_S = 10.0
"""How long requests may wait while none runs, before that is suspicious."""

SERVER_ERROR = 500
ONLY = ""
"""The engine where there is one, or where their names are not known."""


@dataclass(frozen=True)
class EngineSigns:
    """`moving`: figures that change only while an engine works, by engine: one a data-parallel
    replica. `is_complete`: whether its single steps are among them, so that a long prefill moves
    something."""

    moving: Mapping[str, tuple[float, ...]]
    running: float | None = None
    waiting: float | None = None
    is_complete: bool = False


@dataclass(frozen=True)
class SignsRead:
    """None: nothing could be read."""

    at_s: float
    signs: EngineSigns | None


@dataclass(frozen=True)
class CanarySent:
    """To which engine."""

    at_s: float
    engine: str


@dataclass(frozen=True)
class CanaryEnded:
    """`status` 0: nothing came within the canary's time."""

    at_s: float
    status: int


@dataclass(frozen=True)
class SuspicionRaised:
    """By a line of the log, which anybody's prompt may hold, or by a process that is gone."""

    at_s: float
    reason: str
    is_process: bool = False


@dataclass(frozen=True)
class PowerRead:
    """Whether the GPUs take far less than they did while tokens came."""

    at_s: float
    is_low: bool


@dataclass(frozen=True)
class CompilerRead:
    """Whether a rank compiles kernels, for a first request of its kind: minutes in which nothing
    else moves."""

    at_s: float
    is_running: bool


PulseEvent = SignsRead | CanarySent | CanaryEnded | SuspicionRaised | PowerRead | CompilerRead


@dataclass(frozen=True)
class Canary:
    """The one that is under way."""

    sent_s: float
    engine: str


@dataclass(frozen=True)
class PulseState:
    """By engine: `alive_s`, when it last proved that it works, and `misses`, the canaries that it
    missed since. `queued_s`: since when requests wait while none runs; `compiling_s`: since when a
    compiler runs."""

    limits: SupervisionLimits
    started_s: float
    signs: EngineSigns | None = None
    engines: tuple[str, ...] = (ONLY,)
    alive_s: Mapping[str, float] = field(default_factory=dict)
    misses: Mapping[str, int] = field(default_factory=dict)
    canary: Canary | None = None
    queued_s: float | None = None
    suspicion: SuspicionRaised | None = None
    is_power_low: bool = False
    compiling_s: float | None = None


def judge_pulse(state: PulseState, event: PulseEvent) -> PulseState:
    match event:
        case SignsRead():
            return _add_signs(state, event)
        case CanarySent():
            return replace(state, canary=Canary(event.at_s, event.engine))
        case CanaryEnded():
            return _add_answer(state, event)
        case SuspicionRaised():
            return replace(state, suspicion=state.suspicion or event)
        case PowerRead():
            return replace(state, is_power_low=event.is_low)
        case CompilerRead():
            return _add_compiler(state, event)


def find_canary(state: PulseState, now_s: float) -> str | None:
    """The engine that is to be asked now. Never more than one canary is under way."""
    if state.canary is not None:
        return None
    engine = _find_most_silent(state)
    is_silent = now_s - get_alive_s(state, engine) >= state.limits.quiet_s
    return engine if is_silent or find_suspicion(state, now_s) else None


def get_alive_s(state: PulseState, engine: str | None = None) -> float:
    """When the engine last proved that it works; of several the one that is silent for longest."""
    name = _find_most_silent(state) if engine is None else engine
    return state.alive_s.get(name, state.started_s)


def find_suspicion(state: PulseState, now_s: float) -> str | None:
    if state.suspicion:
        return state.suspicion.reason
    if state.queued_s is not None and now_s - state.queued_s >= QUEUE_S:
        return "requests wait, and none runs"
    return "a canary was not answered" if any(state.misses.values()) else None


def find_stall(state: PulseState, now_s: float) -> str | None:
    """Why an engine counts as dead; None while all may live. A second sign stands for the other
    canaries. Where the engine's steps cannot be read, it may be in a long prefill."""
    engine = max(state.engines, key=lambda name: state.misses.get(name, 0))
    misses, silent_s = state.misses.get(engine, 0), now_s - get_alive_s(state, engine)
    is_process = state.suspicion is not None and state.suspicion.is_process
    is_sure = state.suspicion is not None or state.is_power_low
    if misses < (1 if is_sure else state.limits.canary_misses):
        return None
    is_complete = state.signs is not None and state.signs.is_complete
    if is_complete or is_process or state.is_power_low or silent_s >= state.limits.stall_s:
        return f"no sign of work for {silent_s:.0f} s, and {misses} canaries missed"
    return None


def _find_most_silent(state: PulseState) -> str:
    return min(state.engines, key=lambda name: state.alive_s.get(name, state.started_s))


def _add_signs(state: PulseState, event: SignsRead) -> PulseState:
    signs = event.signs
    if signs is None:
        return replace(state, signs=None, queued_s=None)
    before = state.signs.moving if state.signs else {}
    moved = [name for name, figures in signs.moving.items() if before.get(name, figures) != figures]
    is_queued = (signs.waiting or 0) > 0 and signs.running == 0
    queued_s = (event.at_s if state.queued_s is None else state.queued_s) if is_queued else None
    engines = tuple(signs.moving) if len(signs.moving) > 1 else (ONLY,)
    state = replace(state, signs=signs, engines=engines, queued_s=queued_s)
    return _mark_alive(state, moved if len(engines) > 1 else [ONLY] * bool(moved), event.at_s)


def _add_compiler(state: PulseState, event: CompilerRead) -> PulseState:
    """A sign of work, but not for ever: a compiler may hang, too."""
    if not event.is_running:
        return replace(state, compiling_s=None)
    since_s = event.at_s if state.compiling_s is None else state.compiling_s
    state = replace(state, compiling_s=since_s)
    is_believed = event.at_s - since_s < state.limits.stall_s
    return _mark_alive(state, list(state.engines), event.at_s) if is_believed else state


def _add_answer(state: PulseState, event: CanaryEnded) -> PulseState:
    canary, state = state.canary, replace(state, canary=None)
    if canary is None:
        return state
    if 0 < event.status < SERVER_ERROR:
        return _mark_alive(state, [canary.engine], event.at_s)
    if get_alive_s(state, canary.engine) > canary.sent_s:
        return state
    missed = state.misses.get(canary.engine, 0) + 1
    return replace(state, misses={**state.misses, canary.engine: missed})


def _mark_alive(state: PulseState, engines: list[str], at_s: float) -> PulseState:
    if not engines:
        return state
    misses = {name: count for name, count in state.misses.items() if name not in engines}
    alive_s = {**state.alive_s, **dict.fromkeys(engines, at_s)}
    is_proved = set(engines) >= set(state.engines)
    suspicion = None if is_proved else state.suspicion
    return replace(state, alive_s=alive_s, misses=misses, suspicion=suspicion)
