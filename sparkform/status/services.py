"""The rows of services. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from node.ranks.rank import format_exit
from node.readings.measure import Figure, Unread
from node.supervision.report import SupervisionReport
from node.supervision.state import RankFailure
from sparkform.config import Declaration
from sparkform.status.rack_status import FailureStatus, RankStatus, ServiceState, ServiceStatus
from sparkform.status.readings import Readings

UNSUPERVISED = Unread("no supervisor runs")
UNTOLD = Unread("systemd does not say whether the supervisor runs")
NOT_TOLD = Unread("the engine does not say")
ENDED: tuple[ServiceState, ...] = ("gave-up", "needs-up", "stopped", "paused")
"""Phases that hold without a supervisor too: nothing is to be started."""

ANSWERING: tuple[ServiceState, ...] = ("serving", "degraded", "suspect")
"""Phases in which the engine has figures."""


def build_service_status(name: str, declaration: Declaration, readings: Readings) -> ServiceStatus:
    service = declaration.services[name]
    nodes = [node.name for node in declaration.list_service_nodes(name)]
    ranks = tuple(build_rank_status(rank, node, name, readings) for rank, node in enumerate(nodes))
    row = ServiceStatus(name, service.engine, service.runtime, nodes[0], service.port, ranks)
    report = find_report(name, nodes, readings)
    if isinstance(report, SupervisionReport):
        return _fill_from_report(row, report)
    return _fill_without_report(row, report or judge_unsupervised(ranks))


def find_report(
    name: str, nodes: Sequence[str], readings: Readings
) -> SupervisionReport | Unread | None:
    """What the supervisor on the node of rank 0 says; where that is not read, what another one was
    told. None: the service has no supervisor."""
    by_node = [readings[node].reports for node in nodes]
    reports = [known[name] for known in by_node if not isinstance(known, Unread) and name in known]
    reports.sort(key=lambda report: (report.is_coordinator, report.is_live), reverse=True)
    unread = [reason for reason in by_node if isinstance(reason, Unread)]
    if reports and (reports[0].is_coordinator or reports[0].is_live or not unread):
        return reports[0]
    return unread[0] if unread else None


def judge_unsupervised(ranks: Sequence[RankStatus]) -> ServiceState | Unread:
    """Of a service without a supervisor: what its ranks tell."""
    if any(rank.is_there for rank in ranks):
        return "unsupervised"
    unread = [rank.state for rank in ranks if isinstance(rank.state, Unread)]
    return unread[0] if unread else "absent"


def judge_phase(report: SupervisionReport) -> ServiceState | Unread:
    """The phase, if it is that of now."""
    if report.phase is None:
        return Unread(report.unknown or "the supervisor has not told a phase")
    if report.phase in ENDED and not report.is_active:
        return report.phase
    if report.is_active is None:
        return UNTOLD
    if not report.is_active:
        return "unsupervised"
    if not report.is_live:
        age_s = report.live_age_s
        since = "the boot" if age_s is None else f"{age_s:.0f} s"
        return Unread(f"the supervisor has written nothing since {since}")
    return report.phase


def _fill_without_report(row: ServiceStatus, state: ServiceState | Unread) -> ServiceStatus:
    missing = {"unsupervised": UNSUPERVISED, "absent": None}
    value = state if isinstance(state, Unread) else missing[state]
    return replace(
        row,
        state=state,
        age_s=value,
        restarts=value,
        last_failure=value,
        requests_running=value,
        requests_waiting=value,
        tokens_per_s=value,
        last_token_age_s=value,
        cache_use=value,
    )


def _fill_from_report(row: ServiceStatus, report: SupervisionReport) -> ServiceStatus:
    state, figures = judge_phase(report), report.figures
    missing = state if isinstance(state, Unread) else NOT_TOLD if state in ANSWERING else None

    def choose(figure: Figure) -> Figure:
        return missing if figure is None else figure

    return replace(
        row,
        state=state,
        detail=report.detail,
        age_s=report.phase_age_s,
        restarts=report.restarts if report.is_coordinator else NOT_TOLD,
        last_failure=_build_failure(report.last_failure),
        requests_running=choose(figures.requests_running),
        requests_waiting=choose(figures.requests_waiting),
        tokens_per_s=choose(figures.tokens_per_s),
        last_token_age_s=choose(figures.last_token_age_s),
        cache_use=choose(figures.cache_use),
    )


def _build_failure(failure: RankFailure | None) -> FailureStatus | None:
    if failure is None:
        return None
    return FailureStatus(failure.cause, failure.rank, failure.node, failure.at_unix_s)


def build_rank_status(rank: int, node: str, service: str, readings: Readings) -> RankStatus:
    """An ended container beside a new one of the same rank is that of an earlier run."""
    ranks = readings[node].ranks
    if isinstance(ranks, Unread):
        return RankStatus(rank, node, ranks)
    matching = [found for found in ranks if (found.service, found.rank) == (service, rank)]
    newest = max(matching, key=lambda found: (not found.has_ended, found.started_s), default=None)
    if newest is None:
        return RankStatus(rank, node, "absent")
    return RankStatus(rank, node, newest.state, format_exit(newest) if newest.has_ended else None)
