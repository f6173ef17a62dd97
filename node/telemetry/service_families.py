"""What a node's supervisors say of its services as metrics. Pure.

A node that does not coordinate a service tells only whether its supervisor runs: one tells for all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import get_args

from node.supervision.report import LiveFigures, SupervisionReport
from node.supervision.state import Phase
from node.telemetry.exposition import MetricFamily, MetricSample

REPORT_FIGURES: tuple[tuple[str, str, Callable[[SupervisionReport], float | None]], ...] = (
    ("phase_seconds", "How long the phase lasts.", lambda report: report.phase_age_s),
    ("epoch", "How often the group was started.", lambda report: report.epoch),
    ("restarts", "Restarts within the window.", lambda report: report.restarts),
    ("max_restarts", "Restarts after which it is given up.", lambda report: report.max_restarts),
)
LIVE_FIGURES: tuple[tuple[str, str, Callable[[LiveFigures], float | None]], ...] = (
    ("last_token_seconds", "Time since the last token.", lambda live: live.last_token_age_s),
    ("requests_running", "Requests that run.", lambda live: live.requests_running),
    ("requests_waiting", "Requests that wait.", lambda live: live.requests_waiting),
    ("tokens_per_second", "Tokens that are made a second.", lambda live: live.tokens_per_s),
)


def build_service_families(reports: Collection[SupervisionReport]) -> Iterator[MetricFamily]:
    yield _build_family(
        "supervised",
        "Whether the supervisor on this node runs.",
        _select([(report.service, report.is_active) for report in reports]),
    )
    coordinators = [report for report in reports if report.is_coordinator]
    yield _build_family(
        "phase",
        "Which phase the service is in.",
        tuple(sample for report in coordinators for sample in _list_phases(report)),
    )
    for name, text, get in REPORT_FIGURES:
        pairs = [(report.service, get(report)) for report in coordinators if report.phase]
        yield _build_family(name, text, _select(pairs))
    live = [report for report in coordinators if report.is_live]
    for name, text, get_live in LIVE_FIGURES:
        yield _build_family(
            name, text, _select([(report.service, get_live(report.figures)) for report in live])
        )


def _list_phases(report: SupervisionReport) -> Iterator[MetricSample]:
    """What is not known now has no sample: an old phase is no phase, but for those that last."""
    if report.phase is None or not (report.is_live or report.phase in ("gave-up", "needs-up")):
        return
    for phase in get_args(Phase):
        yield MetricSample(phase == report.phase, {"service": report.service, "phase": phase})


def _select(pairs: list[tuple[str, float | None]]) -> tuple[MetricSample, ...]:
    return tuple(
        MetricSample(value, {"service": service}) for service, value in pairs if value is not None
    )


def _build_family(name: str, text: str, samples: tuple[MetricSample, ...]) -> MetricFamily:
    return MetricFamily(f"sparkform_service_{name}", "gauge", text, samples)
