"""The report asks for nothing outside itself, escapes what it shows, and says what it is of."""

from __future__ import annotations

import re

import pytest

from sparkform.bench.load import Load
from sparkform.commands.bench.api import ServiceApi, read_engine_version
from sparkform.commands.bench.charts import clean_svg
from sparkform.commands.bench.report import MARKS, build_speed_table, render_report
from sparkform.commands.bench.subject import build_expectation
from sparkform.commands.bench.work import find_stand_in
from sparkform.sizing.throughput import Speed
from sparkform.sizing.throughput_ranges import Prediction
from tests.support.bench_results import (
    build_identity,
    build_measurement,
    build_requests,
    build_result,
)

SVG = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="576pt" height="259pt">
<metadata><rdf:RDF/></metadata><defs><clipPath id="p1"/></defs>
<path id="m1" style="fill: #123456" clip-path="url(#p1)"/><use xlink:href="#m1"/></svg>"""


def test_predicted_and_measured_stand_side_by_side() -> None:
    table = build_speed_table(build_result())
    row = dict(zip(table.headings, table.rows[0], strict=False))
    assert row["output tok/s"] == "22.0"
    assert row["answered"] == "8 of 8"
    assert "25.0 (18.0 to 31.0)" in table.rows[0]


def test_several_runs_are_shown_with_their_spread() -> None:
    runs = [build_requests((slowness,)) for slowness in (1.0, 1.25)]
    table = build_speed_table(build_result(build_measurement(*runs, expected=False)))
    assert table.rows[0][1] == "19.8 ± 3.1"
    assert table.rows[0][2] == "–"


def test_names_of_others_are_escaped_and_marks_are_words() -> None:
    result = build_result(
        identity=build_identity(model="<script>alert(1)</script>"), marks=("stand-in", "trial")
    )
    page = render_report(result, {})
    assert "<script>" not in page
    assert MARKS["stand-in"] in page
    assert MARKS["trial"] in page


def test_nothing_outside_is_asked_for() -> None:
    page = render_report(build_result(), {"throughput": clean_svg("throughput", SVG)})
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert [link for link in links if not link.startswith("#")] == []
    assert "DOCTYPE svg" not in page
    assert "default-src 'none'" in page


def test_a_chart_takes_the_pages_colour_and_identifiers_of_its_own() -> None:
    cleaned = clean_svg("nodes", SVG)
    assert "currentColor" in cleaned
    assert 'id="nodes-p1"' in cleaned
    assert "url(#nodes-p1)" in cleaned
    assert 'href="#nodes-m1"' in cleaned
    assert "metadata" not in cleaned
    assert " height=" not in cleaned


def test_a_prediction_is_of_what_is_measured_and_waits_for_first_tokens_too() -> None:
    load = Load(profile="own", prompts=4, input_tokens=8, output_tokens=11, concurrency=2)
    speed = Speed(decode_tok_s=40.0, per_request_tok_s=20.0, ttft_s=0.5, bound="memory")
    prediction = Prediction(speed=speed, decode_low_tok_s=20.0, decode_high_tok_s=80.0)
    expected = build_expectation(load, prediction)
    assert expected.output_tok_s == pytest.approx(2 * 11 / (0.5 + 10 / 20))
    assert expected.output_low_tok_s == pytest.approx(2 * 11 / (0.5 + 10 / 10))
    assert expected.output_high_tok_s == pytest.approx(2 * 11 / (0.5 + 10 / 40))


@pytest.mark.parametrize(
    ("document", "version", "marks"),
    [
        ('{"version": "0.32.0"}', "0.32.0", []),
        ('{"version": "1.2.1", "stand_in": true}', "1.2.1 (stand-in)", ["stand-in"]),
        ("[]", None, []),
    ],
)
def test_an_engine_that_is_none_says_so_and_is_marked(
    document: str, version: str | None, marks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServiceApi, "read", lambda api, path: document)
    assert read_engine_version(ServiceApi("http://127.0.0.1:8000")) == version
    assert find_stand_in(version) == marks
