"""The screen of `sparkform status`: what it says, and that it fits 80 columns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from node.readings.measure import Unread
from sparkform.commands.status.text import build_screen
from sparkform.status.rack_status import RackStatus
from tests.support.status_documents import (
    SERVICE,
    build_declaration,
    build_document,
    build_gpu,
    build_report,
    build_status,
    build_telemetry,
)

SILENT = Unread("10.0.0.2 is unreachable (no answer within 6 s)")
LONG = "a" * 40


def show(status: RackStatus, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(build_screen(status))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def list_lines(text: str) -> list[str]:
    """Without the space between columns."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_a_rack_that_serves_is_one_screen_without_a_question_mark() -> None:
    lines = list_lines(show(build_status()))
    assert lines[0].startswith("spark/lab 1 of 1 services serve, 2 of 2 nodes answer")
    assert lines[2] == "qwen serving 3 h 12 min 2/2 1 4 1 112.3 37 %"
    assert lines[3].startswith("qwen: last failure 2 h 0 min ago: rank 1 on spark-2: exit code 137")
    assert lines[5] == "spark-1 ██████████░░ 96/120 GiB 87 % 38 W 61 °C 2418 MHz up 200G"
    assert "?" not in show(build_status())


def test_a_silent_node_is_a_question_mark_with_its_reason() -> None:
    text = show(build_status({"spark-2": SILENT}))
    assert "spark-2 ? ? ? ? ? ? ?" in list_lines(text)
    assert "? spark-2, qwen: 10.0.0.2 is unreachable (no answer within 6 s)" in text


def test_a_service_that_does_not_serve_says_why() -> None:
    report = build_report(0, phase="degraded", detail="spark-2 is not heard")
    text = show(build_status({"spark-1": build_document(0, supervision={"qwen": report})}))
    assert "degraded" in text
    assert "qwen: spark-2 is not heard" in text


def test_a_held_clock_is_marked_and_explained() -> None:
    hot = build_telemetry(gpus=(build_gpu(throttle_reasons=("sw_thermal",)),))
    text = show(build_status({"spark-2": build_document(1, telemetry=hot)}))
    assert "2418 MHz ↓" in text
    assert "spark-2: GPU clock held down: sw_thermal" in text


def test_a_rack_without_services_shows_its_nodes() -> None:
    text = show(build_status(declaration=build_declaration(services={})))
    assert "service" not in text
    assert "spark-2" in text


@pytest.mark.parametrize("width", [80, 100, 160])
def test_names_are_folded_and_figures_are_not(width: int) -> None:
    services = {LONG: SERVICE}
    declaration = build_declaration(services=services)
    report = build_report(0, LONG, is_active=False, phase_age_s=190_000.0)
    document = build_document(0, supervision={LONG: report})
    text = show(build_status({"spark-1": document}, declaration), width)
    assert max(map(len, text.splitlines())) <= width
    for figure in ("2 d 4 h", "112.3", "37 %"):
        assert figure in text


def test_markup_in_a_reason_stays_text() -> None:
    assert "[/b] gone" in show(build_status({"spark-2": Unread("[/b] gone")}))
