"""What others see of a supervisor: its state, and what it saw a few seconds ago."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from node.errors import StepError
from node.host.paths import SUPERVISION
from node.host.system import System
from node.host.typed_json import ShapeError, parse, to_json
from node.ranks.supervisors import get_supervisor_unit
from node.supervision.moment import Moment, read_moment
from node.supervision.paths import get_live_path, get_target_path
from node.supervision.state import Phase, RankFailure, SupervisionState, Turn, read_state
from node.supervision.target import SupervisionTarget, read_target

ACTIVITY_CODES = (0, 3, 4)
"""systemctl(1), "Exit status": active, not active, no such unit."""

STALE_S = 30.0
"""A live file older than this says nothing of now."""

SERVING_PHASES: tuple[Phase, ...] = ("serving", "degraded")
ENDED_PHASES: tuple[Phase, ...] = ("gave-up", "needs-up", "stopped", "paused")


@dataclass(frozen=True)
class LiveFigures:
    """What the engine itself tells, each None where it was not read."""

    last_token_age_s: float | None = None
    requests_running: float | None = None
    requests_waiting: float | None = None
    tokens_total: float | None = None
    tokens_per_s: float | None = None
    cache_use: float | None = None


@dataclass(frozen=True)
class LiveState:
    """The content of live.json. `detail`: why the phase is what it is, in a few words."""

    token: str
    written: Moment
    phase: Phase
    phase_age_s: float | None
    detail: str
    figures: LiveFigures
    turn: Turn = "none"


@dataclass(frozen=True)
class SupervisionReport:
    """`is_active`: whether the supervisor's unit runs, None where systemd does not say. `phase` and
    `figures` are those of the node of rank 0; another node says the last phase that it was told,
    and no figures. `live_age_s`: how old these are; None where the supervisor has not written since
    the boot.

    `unknown`: why nothing is known, None otherwise.
    """

    service: str
    is_active: bool | None
    unknown: str | None = None
    token: str = ""
    is_coordinator: bool = False
    rank: int | None = None
    phase: Phase | None = None
    phase_age_s: float | None = None
    detail: str = ""
    epoch: int = 0
    restarts: int = 0
    max_restarts: int = 0
    last_failure: RankFailure | None = None
    live_age_s: float | None = None
    figures: LiveFigures = field(default_factory=LiveFigures)

    @property
    def is_live(self) -> bool:
        """Whether phase and figures are of now."""
        return self.is_active is True and self.live_age_s is not None and self.live_age_s <= STALE_S

    @property
    def is_serving(self) -> bool:
        return self.phase in SERVING_PHASES

    @property
    def has_ended(self) -> bool:
        """Whether the supervisor starts nothing any more, until somebody asks for it."""
        return self.phase in ENDED_PHASES


def read_live(system: System, service: str) -> LiveState | None:
    text = system.read(get_live_path(service))
    try:
        return parse(LiveState, json.loads(text), "live") if text else None
    except (ShapeError, ValueError):
        return None


def write_live(system: System, service: str, live: LiveState) -> None:
    """Raises OSError. Readable by others, as metrics are: it holds no secret."""
    system.write(get_live_path(service), json.dumps(to_json(live)) + "\n")


def read_reports(system: System) -> dict[str, SupervisionReport]:
    """By service: all that are supervised on this node."""
    reports = {name: read_report(system, name) for name in system.list_names(SUPERVISION)}
    return {name: report for name, report in reports.items() if report}


def read_report(system: System, service: str) -> SupervisionReport | None:
    """None where the service is not supervised on this node."""
    if system.get_state(get_target_path(service)) is None:
        return None
    is_active = _is_active(system, service)
    try:
        target = read_target(system, service)
    except StepError as error:
        return SupervisionReport(service, is_active, unknown=str(error))
    state, live = read_state(system, service), read_live(system, service)
    if state is not None and state.token != target.token:
        state = None
    if live is not None and live.token != target.token:
        live = None
    return build_report(target, is_active, state, live, read_moment(system))


def _is_active(system: System, service: str) -> bool | None:
    unit = get_supervisor_unit(service)
    code = system.run(["systemctl", "is-active", "--quiet", unit]).code
    return code == 0 if code in ACTIVITY_CODES else None


def build_report(
    target: SupervisionTarget,
    is_active: bool | None,
    state: SupervisionState | None,
    live: LiveState | None,
    now: Moment,
) -> SupervisionReport:
    """A live file of an earlier boot, or an old one, says nothing of the engine. Pure."""
    record = state.coordinator if state else None
    age_s = live.written.compute_age_s(now) if live else None
    fresh = live if age_s is not None and age_s <= STALE_S else None
    return SupervisionReport(
        service=target.service,
        token=target.token,
        is_active=is_active,
        is_coordinator=target.is_coordinator,
        rank=target.local_rank.rank if target.local_rank else None,
        phase=record.phase if record else fresh.phase if fresh else None,
        phase_age_s=_compute_phase_age_s(state, fresh, now),
        detail=fresh.detail if fresh else record.reason if record else "",
        epoch=state.epoch if state else 0,
        restarts=record.restarts.number if record else 0,
        max_restarts=target.limits.max_restarts,
        last_failure=record.failure if record else None,
        live_age_s=age_s,
        figures=fresh.figures if fresh else LiveFigures(),
        unknown=None if state else "the supervisor has not written its state",
    )


def _compute_phase_age_s(
    state: SupervisionState | None, live: LiveState | None, now: Moment
) -> float | None:
    since = state.coordinator.since if state and state.coordinator else None
    if since is not None:
        return since.compute_age_s(now)
    return live.phase_age_s if live else None
