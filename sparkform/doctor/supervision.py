"""The supervisors of services: who keeps them serving, and in what state they are. Pure.

The node of rank 0 knows how a service is; the others only run a supervisor.
"""

from __future__ import annotations

from collections.abc import Iterator

from node.steps import supervise
from node.supervision.report import SupervisionReport
from sparkform.doctor.check import Check, NodeView
from sparkform.plan.supervision import describe_phase, judge_report
from sparkform.report.probe_reports import ServiceReport, read_service_report

UP_FIX = "`pulumi up`"
WAIT_FIX = "wait: `sparkform logs --follow` shows the new start"
ROW_NAME = "supervision "
RESTART_FIX = "see `sparkform logs`; then `pulumi up` or `sparkform restart`"


def check_supervision(view: NodeView) -> Iterator[Check]:
    """A row for each service that has a rank on this node, once this stack has brought it up."""
    for service in view.declaration.services:
        members = [member.name for member in view.declaration.list_service_nodes(service)]
        if view.node.name in members and view.is_claimed and view.was_read(_get_item(service)):
            yield from _check_service(view, service)


def read_supervisor(view: NodeView, service: str) -> SupervisionReport | None:
    spec = supervise.SPEC
    return spec.read_observed(view.report.steps.get(f"{spec.name}:{service}")).report


def is_kept(view: NodeView, service: str) -> bool:
    """Whether a supervisor starts the service's ranks again by itself."""
    report = read_supervisor(view, service)
    return report is not None and judge_report(report).standing == "keeps"


def _get_item(service: str) -> str:
    return f"step {supervise.SPEC.name}:{service}"


def _check_service(view: NodeView, service: str) -> Iterator[Check]:
    name, report = f"{ROW_NAME}{service}", read_supervisor(view, service)
    if report is None or report.is_active is False:
        if _has_live_rank(view, service):
            message = "unsupervised: a rank that dies stays dead until `pulumi up`"
            yield view.fail(name, message, UP_FIX)
        return
    supervision = judge_report(report)
    if supervision.standing == "unknown":
        yield view.unknown(name, supervision.words)
    elif not report.is_coordinator:
        yield view.ok(name, f"a supervisor runs (epoch {report.epoch})")
    elif report.phase == "paused":
        yield view.warn(name, supervision.words, RESTART_FIX)
    elif supervision.standing == "ended":
        yield view.fail(name, supervision.words, _get_fix(report))
    elif report.phase == "serving":
        yield view.ok(name, describe_phase(report))
    else:
        yield view.warn(name, supervision.words, WAIT_FIX)


def _get_fix(report: SupervisionReport) -> str:
    return UP_FIX if report.phase == "needs-up" else RESTART_FIX


def _has_live_rank(view: NodeView, service: str) -> bool:
    state = read_service_report(view.report, service)
    return isinstance(state, ServiceReport) and any(rank.is_alive for rank in state.ranks)


CHECKS = (check_supervision,)
