"""The dashboard's page in a real browser: content, live changes, keyboard, widths, both schemes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from node.ranks.rank import NodeRanks
from node.readings.measure import Unread
from sparkform.status.rack_status import RackStatus
from tests.support.browser import READABLE, Browser, find_browser, run_browser
from tests.support.dashboard import BoardServer, serve_board
from tests.support.status_documents import (
    build_declaration,
    build_document,
    build_rank,
    build_status,
)
from tests.unit.ssh.ssh_node import format_public_key, generate_key

ROOT = Path(__file__).parents[2]
MAIN = "import sys; sys.argv[0] = 'sparkform'; from sparkform.commands import main; main()"
SILENT = Unread("10.0.0.2 is unreachable (no answer within 6 s)")
KILLED = NodeRanks((build_rank(1, state="ended", exit_code=137),))
UPDATE_LIMIT_S = 2.0
TEXTS = "h1, p, dt, dd, a[href], li, time, footer, .state"


@pytest.fixture
def server() -> Iterator[BoardServer]:
    with serve_board(build_status()) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_browser()
    assert program, "no Chromium is installed; on Debian: apt-get install chromium"
    with run_browser(program, tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: BoardServer) -> Browser:
    browser.attach()
    browser.resize(1280, 900)
    browser.open(server.url)
    return browser


@pytest.fixture
def narrow(page: Browser) -> Browser:
    page.resize(360, 760)
    return page


def kill_rank() -> RackStatus:
    return build_status({"spark-2": build_document(1, ranks=KILLED)})


def test_the_page_says_what_the_rack_is_and_asks_nobody_else(
    page: Browser, server: BoardServer
) -> None:
    page.await_true("performance.getEntriesByType('resource').length >= 2")
    assert page.read_text("#summary") == "1 of 1 services serve, 2 of 2 nodes answer"
    service = page.read_text("#service-qwen")
    for word in ("qwen", "serving", "3 h 12 min", "112.3", "37 %", "spark-1:8000"):
        assert word in service
    for word in ("spark-2", "96/120 GiB", "38 W", "61 °C", "2418 MHz", "up 200 Gb/s"):
        assert word in page.read_text("#node-spark-2")
    assert page.evaluate("document.querySelectorAll('#drawing .box').length") == 2
    assert page.evaluate("document.querySelector('.cable text').textContent") == "200G"
    assert {url for url in page.requests if not url.startswith(server.url)} <= {"data:,"}
    assert page.faults == []


def test_a_fault_of_the_page_would_be_found(page: Browser) -> None:
    page.evaluate("console.error('planted')")
    page.evaluate("setTimeout(() => { throw new Error('thrown') })")
    page.evaluate("document.body.append(Object.assign(new Image(), {src: '/none.png'}))")
    page.await_true("document.images[0].complete")
    for word in ("planted", "thrown", "Content Security Policy"):
        assert any(word in fault for fault in page.faults), page.faults


def test_a_killed_rank_is_seen_within_two_seconds_without_a_reload(
    page: Browser, server: BoardServer
) -> None:
    page.evaluate("window.untouched = true")
    server.show(kill_rank())
    took_s = page.await_true("document.querySelector('#service-qwen').innerText.includes('ended')")
    print(f"shown after {took_s:.2f} s")
    assert took_s < UPDATE_LIMIT_S
    assert "rank 1 on spark-2 is ended: exit code 137 (SIGKILL)" in page.read_text("#events")
    server.show(build_status())
    page.await_true("document.querySelectorAll('#events li').length == 2")
    assert page.evaluate("window.untouched")
    assert page.faults == []


def test_what_is_not_known_is_said_with_its_reason(page: Browser, server: BoardServer) -> None:
    server.show(build_status({"spark-2": SILENT}))
    page.await_true("document.querySelector('#unread').innerText.includes('unreachable')")
    assert page.read_text("#summary") == "1 of 1 services serve, 1 of 2 nodes answer"
    node = page.read_text("#node-spark-2")
    assert "unknown" in node
    assert "?" in node
    assert page.evaluate("document.querySelector('#node-spark-2 dd').title") == SILENT.why


def test_the_keyboard_leads_everywhere_and_keeps_its_place(
    page: Browser, server: BoardServer
) -> None:
    focused = "document.activeElement.id || document.activeElement.className"
    page.press("Tab", 9)
    assert page.evaluate(focused) == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.press("Tab", 9)
    assert page.evaluate(focused) == "to-spark-1"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Tab", 9)
    server.show(build_status({"spark-1": SILENT}))
    page.await_true("document.querySelector('#to-spark-1').classList.contains('unknown')")
    assert page.evaluate(focused) == "to-spark-2"
    page.press("Enter", 13, "\\r")
    page.await_true("location.hash == '#node-spark-2'")


@pytest.mark.parametrize(("topology", "count"), [("direct", 2), ("switch", 8)])
def test_it_fits_a_phone(narrow: Browser, server: BoardServer, topology: str, count: int) -> None:
    documents = {f"spark-{rank + 1}": build_document(rank) for rank in range(count)}
    declaration = build_declaration(topology, count, {})
    server.loop.call_soon_threadsafe(server.board.events.clear)
    with serve_board(build_status(documents, declaration, count)) as other:
        narrow.call("Page.navigate", url=other.url)
        narrow.await_true(f"document.querySelectorAll('.box').length == {count}")
        assert narrow.evaluate("document.documentElement.scrollWidth") == 360
        height = narrow.evaluate(
            "document.querySelector('.box .name').getBoundingClientRect().height"
        )
        assert height >= 11
        outside = "[...document.querySelectorAll('article *')].filter("
        outside += "(e) => e.getBoundingClientRect().right > 360).length"
        assert narrow.evaluate(outside) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(page: Browser, server: BoardServer, scheme: str) -> None:
    page.choose_scheme(scheme)
    server.show(kill_rank())
    page.await_true("document.querySelectorAll('#events li').length == 1")
    contrasts = page.measure_contrasts(TEXTS)
    assert len(contrasts) > 10
    assert {name: ratio for name, ratio in contrasts.items() if ratio < READABLE} == {}
    lightness = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(lightness.strip("rgb()").split(",")[0]) > 128) == (scheme == "light")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Of one node that is off."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    key = format_public_key(generate_key())
    node = {"name": "spark-1", "host": "127.0.0.1", "port": port, "hostKey": key}
    cluster = {"user": "nvidia", "nodes": [node]}
    file = tmp_path / "Pulumi.lab.yaml"
    file.write_text(yaml.safe_dump({"config": {"sparkform:cluster": cluster}}))
    (tmp_path / "Pulumi.yaml").write_text("name: spark\nruntime: python\n")
    return file


def test_the_command_serves_until_ctrl_c_and_the_page_says_that_it_ended(
    stack: Path, browser: Browser
) -> None:
    command = [sys.executable, "-P", "-c", MAIN, "dashboard", str(stack), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as dashboard,
        contextlib.ExitStack() as ending,
    ):
        ending.callback(dashboard.kill)
        assert dashboard.stdout
        line = dashboard.stdout.readline()
        assert line.startswith("spark/lab: http://127.0.0.1:")
        browser.attach()
        address = line.split()[1]
        browser.open(address)
        assert browser.read_text("#summary") == "0 of 1 nodes answer"
        assert "Connection refused" in browser.read_text("#unread")
        # The page of the test before asks its server, which has ended, until it is left.
        refused = "net::ERR_CONNECTION_REFUSED"
        assert [f for f in browser.faults if refused not in f or address in f] == []
        dashboard.send_signal(signal.SIGINT)
        assert dashboard.wait(20) == 0
        browser.await_true("!document.getElementById('connection').hidden")
        assert "not updated any more" in browser.read_text("#connection")
