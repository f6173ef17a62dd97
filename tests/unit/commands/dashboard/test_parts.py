"""Drawing, lines and history of the dashboard, without HTML."""

from __future__ import annotations

import doctest
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.readings.measure import Unread
from sparkform.commands.dashboard import sparkline
from sparkform.commands.dashboard.drawing import (
    NODE_HEIGHT,
    NODE_WIDTH,
    WIDTH,
    Drawing,
    Point,
    build_drawing,
)
from sparkform.commands.dashboard.history import SAMPLE_S, SPAN_S, FigureSample, History
from sparkform.commands.dashboard.sparkline import build_path, describe
from tests.support.status_documents import (
    build_declaration,
    build_document,
    build_links,
    build_status,
    build_telemetry,
)

SILENT = Unread("unreachable")


def draw(topology: str, count: int) -> Drawing:
    documents = {
        f"spark-{rank + 1}": build_document(rank, telemetry=build_telemetry(links=build_links(0)))
        for rank in range(count)
    }
    return build_drawing(build_status(documents, build_declaration(topology, count, {}), count))


RACKS = [
    *(("none", 1), ("none", 2), ("direct", 2), ("ring", 3)),
    *(("switch", count) for count in range(3, 9)),
]


@pytest.mark.parametrize(("topology", "count"), RACKS)
def test_boxes_lie_inside_and_apart(topology: str, count: int) -> None:
    drawing = draw(topology, count)
    boxes = [*drawing.places.values(), *([drawing.switch] if drawing.switch else [])]
    assert len(drawing.places) == count
    for box in boxes:
        assert NODE_WIDTH / 2 <= box.x <= WIDTH - NODE_WIDTH / 2
        assert NODE_HEIGHT / 2 <= box.y <= drawing.height - NODE_HEIGHT / 2
    apart = {
        (box, other)
        for box in boxes
        for other in boxes
        if box != other and abs(box.x - other.x) < NODE_WIDTH and abs(box.y - other.y) < NODE_HEIGHT
    }
    assert apart == set()


def test_lines_join_the_boxes_of_the_cables() -> None:
    (line,) = draw("direct", 2).lines
    assert (line.start, line.end) == (Point(100, 34), Point(300, 34))
    assert (line.state, line.label) == ("up", "200G")
    switched = draw("switch", 5)
    assert switched.switch is not None
    assert {line.end for line in switched.lines} == {switched.switch}
    assert len(draw("ring", 3).lines) == 3


def test_a_cable_that_nobody_tells_of_is_unknown() -> None:
    (line,) = build_drawing(build_status({"spark-1": SILENT, "spark-2": SILENT})).lines
    assert (line.state, line.label) == ("unknown", "?")


def test_the_examples_hold() -> None:
    assert doctest.testmod(sparkline).failed == 0


def test_a_line_has_gaps_where_nothing_was_known_or_read() -> None:
    known = [FigureSample(3000.0, 1.0), FigureSample(3015.0, 2.0)]
    assert build_path(known, 3600).count("M") == 1
    assert build_path([*known, FigureSample(3200.0, 3.0)], 3600).count("M") == 2
    assert build_path([known[0], FigureSample(3007.0, None), known[1]], 3600).count("M") == 2
    assert build_path([], 3600) == ""


@given(st.lists(st.none() | st.floats(0, 1e6), max_size=240))
def test_a_line_stays_inside_its_box(figures: list[float | None]) -> None:
    samples = [FigureSample(SAMPLE_S * at, figure) for at, figure in enumerate(figures)]
    path = build_path(samples, now_s=SPAN_S)
    points = path.replace("L", "M").split("M")[1:]
    assert len(points) == sum(figure is not None for figure in figures)
    for x, y in (map(float, point.split()) for point in points):
        assert 0 <= x <= sparkline.WIDTH
        assert 0 <= y <= sparkline.HEIGHT


def test_a_line_is_told_in_words() -> None:
    assert describe([FigureSample(0, 20.0), FigureSample(1, 38.4), FigureSample(2, None)], "W") == (
        "last hour: 20 to 38 W"
    )
    assert describe([FigureSample(0, None)], "W") == "no figures yet"


def test_history_takes_a_sample_each_quarter_minute_and_forgets_after_an_hour() -> None:
    history, status = History(), build_status({"spark-2": SILENT})
    started_s = status.unix_time_s
    for second in range(0, 7200, 5):
        history.add(replace(status, unix_time_s=started_s + second))
    power = history.get("node spark-1", "gpu_power_w")
    assert len(power) == SPAN_S / SAMPLE_S + 1
    assert power[0].unix_time_s >= started_s + 7185 - SPAN_S
    assert {sample.figure for sample in power} == {38.4}
    assert {sample.figure for sample in history.get("node spark-2", "gpu_power_w")} == {None}
    assert history.get("service qwen", "tokens_per_s")[-1].figure == 112.34
    assert history.get("node spark-9", "gpu_power_w") == ()
