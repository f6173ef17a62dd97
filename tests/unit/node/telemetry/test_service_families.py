"""A service as metrics: what its coordinator says now, and silence where nothing is known."""

from __future__ import annotations

from dataclasses import replace

from node.supervision.report import LiveFigures, SupervisionReport
from node.telemetry.exposition import render
from node.telemetry.service_families import build_service_families

SERVING = SupervisionReport(
    "chat",
    is_active=True,
    is_coordinator=True,
    phase="serving",
    phase_age_s=60,
    epoch=2,
    restarts=1,
    max_restarts=4,
    live_age_s=3,
    figures=LiveFigures(last_token_age_s=0.5, requests_running=2, tokens_per_s=41.5),
)


def render_lines(*reports: SupervisionReport) -> list[str]:
    text = render(build_service_families(reports))
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_coordinator_tells_phase_and_figures() -> None:
    lines = render_lines(SERVING)
    assert 'sparkform_service_phase{service="chat",phase="serving"} 1' in lines
    assert 'sparkform_service_phase{service="chat",phase="gave-up"} 0' in lines
    assert 'sparkform_service_tokens_per_second{service="chat"} 41.5' in lines
    assert 'sparkform_service_epoch{service="chat"} 2' in lines
    assert not any("requests_waiting" in line for line in lines), "it was not read"


def test_another_node_tells_only_that_its_supervisor_runs() -> None:
    assert render_lines(replace(SERVING, is_coordinator=False)) == [
        'sparkform_service_supervised{service="chat"} 1'
    ]


def test_a_stale_phase_is_no_phase_but_one_that_lasts_is_told() -> None:
    stale = replace(SERVING, live_age_s=300)
    assert not any("phase=" in line for line in render_lines(stale))
    given_up = replace(stale, phase="gave-up", is_active=False)
    lines = render_lines(given_up)
    assert 'sparkform_service_phase{service="chat",phase="gave-up"} 1' in lines
    assert 'sparkform_service_supervised{service="chat"} 0' in lines
