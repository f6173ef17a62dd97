"""The report of a benchmark in a real browser: charts drawn, readable in both schemes, no asset.

The charts are recorded: matplotlib drew them of tests/data/bench/result.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkform.bench.result import BenchmarkResult
from sparkform.commands.bench.charts import CHARTS, clean_svg
from sparkform.commands.bench.report import render_report
from tests.support.browser import READABLE, Browser, find_browser, run_browser

DATA = Path(__file__).parents[1] / "data" / "bench"
LARGEST_BYTES = 2 * 2**20
TEXTS = "h1, h2, p, th, td, svg text"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = BenchmarkResult.model_validate_json((DATA / "result.json").read_text())
    charts = {
        name: clean_svg(name, (DATA / "charts" / f"{name}.svg").read_text()) for name in CHARTS
    }
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(render_report(result, charts))
    return file


@pytest.fixture(scope="module")
def page(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.fail("no Chromium is installed; on Debian: apt-get install chromium")
    with run_browser(program, tmp_path_factory.mktemp("profile")) as browser:
        browser.attach()
        browser.resize(1100, 900)
        browser.open(report.as_uri())
        yield browser


def test_all_charts_are_drawn_and_nothing_else_is_asked_for(page: Browser, report: Path) -> None:
    sizes = "[...document.querySelectorAll('figure svg')].map((e) => e.getBoundingClientRect())"
    drawn = page.evaluate(f"{sizes}.filter((box) => box.width > 300 && box.height > 100).length")
    assert drawn == len(CHARTS)
    assert page.evaluate("document.querySelectorAll('#chart-throughput path').length") > 8
    assert {url for url in page.requests if url != report.as_uri()} == set()
    assert page.faults == []
    assert report.stat().st_size < LARGEST_BYTES


def test_the_figures_stand_in_the_table(page: Browser) -> None:
    text = page.read_text("#speed")
    for word in ("quick 128/11 at 8", "25.0 (18.0 to 31.0)", "TTFT p50 ms", "24 of 24"):
        assert word in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_charts_are_readable_in_both_schemes(page: Browser, scheme: str) -> None:
    page.choose_scheme(scheme)
    contrasts = page.measure_contrasts(TEXTS)
    assert {"H1.", "TH.", "TD."} < set(contrasts)
    assert any(name.startswith("text") for name in contrasts)
    assert {name: ratio for name, ratio in contrasts.items() if ratio < READABLE} == {}
    lightness = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(lightness.strip("rgb()").split(",")[0]) > 128) == (scheme == "light")


def test_a_phone_scrolls_tables_and_not_the_page(page: Browser) -> None:
    page.resize(360, 760)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.resize(1100, 900)
