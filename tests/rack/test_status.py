"""`sparkform status` and `dashboard` on three nodes, with engines that run, die, are supervised."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import io
import json
import os
import pty
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from rich.text import Text

from node.host.paths import STATE
from node.host.typed_json import to_json
from node.supervision.moment import Moment
from node.supervision.paths import get_live_path, get_state_path, get_target_path
from node.supervision.report import LiveFigures, LiveState
from node.supervision.state import CoordinatorRecord, SupervisionState
from node.supervision.target import SupervisedRank, SupervisionLimits, SupervisionTarget
from tests.rack.command_line import MAIN, ROOT, RackProject, create_project
from tests.rack.conftest import RackFactory
from tests.support import scripted_engine as engines
from tests.support.browser import Browser, find_browser, run_browser
from tests.support.scripted_engine import PORT, SERVICE, Plan
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rack

TOKEN = "4be1c0de00aa-1"
STATUS_GUARD_S = 10.0
"""The goal is 1.5 s on a quiet machine; the test prints what it took."""

KILL_GUARD_S = 10.0
"""The goal from a kill to the page is 2 s on a quiet machine; the test prints what it took."""

UNIT = "sparkform-supervisor@qwen"
COLUMNS = 80
HOME = "\x1b[H"
"""What a terminal's program sends before each screen."""


@pytest.fixture(scope="module")
def project(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> RackProject:
    """Three nodes behind a switch, and a stack file with one service on two of them."""
    project = create_project(rack(3, "switch"), tmp_path_factory.mktemp("lab"))
    result = project.init()
    assert result.code == 0, result.err
    document = yaml.safe_load(project.stack.read_text())
    document["config"]["sparkform:services"] = {
        "qwen": {**SERVICE, "nodes": ["spark-1", "spark-2"]}
    }
    project.stack.write_text(yaml.safe_dump(document))
    for host in project.rack.hosts[:2]:
        engines.prepare(project.rack, host)
    return project


@pytest.fixture(autouse=True)
def _engines(project: RackProject) -> Iterator[None]:
    """Both ranks run before each test; nothing of them is there after it."""
    for rank, host in enumerate(project.rack.hosts[:2]):
        engines.clear(project.rack, host)
        engines.start_container(project.rack, host, rank, TOKEN, Plan())
        engines.await_end(project.rack, host, Plan())
    yield
    for host in project.rack.hosts[:2]:
        engines.clear(project.rack, host)


def read_status(project: RackProject) -> dict[str, Any]:
    result = project.run("status", project.stack, "--json")
    assert result.code in (0, 1), result.err
    document: dict[str, Any] = result.parse_json()
    return document


def kill_rank(project: RackProject) -> None:
    project.rack.must("spark-2", "sudo docker kill sparkform-qwen-1")


def test_three_nodes_are_read_at_once(project: RackProject) -> None:
    runs = [project.run("status", project.stack) for _ in range(5)]
    took_s = statistics.median(run.took_s for run in runs)
    print(
        f"status of 3 nodes: {took_s:.2f} s, the quickest {min(run.took_s for run in runs):.2f} s"
    )
    assert {run.code for run in runs} == {1}
    assert took_s < STATUS_GUARD_S
    print(runs[0].out)
    assert "unsupervised" in runs[0].out
    assert "3 of 3 nodes answer" in runs[0].out


def test_every_figure_of_a_node_is_read(project: RackProject) -> None:
    document = read_status(project)
    (service,) = document["services"]
    assert [rank["state"] for rank in service["ranks"]] == ["running", "running"]
    for node in document["nodes"]:
        assert node["contact"] == "answers"
        assert node["memoryTotalGib"] > node["memoryAvailableGib"] > 0
        assert node["gpuPowerW"] is not None
        assert "unread" not in node
    assert [cable["state"] for cable in document["cables"]] == ["up", "up", "up"]


def test_a_killed_rank_is_seen(project: RackProject) -> None:
    kill_rank(project)
    document = read_status(project)
    first, second = document["services"][0]["ranks"]
    assert (first["state"], second["state"]) == ("running", "ended")
    assert second["ending"] == "exit code 137 (SIGKILL)"


@contextlib.contextmanager
def broken(project: RackProject, fault: str, *arguments: str) -> Iterator[None]:
    project.rack.break_(fault, *arguments)
    try:
        yield
    finally:
        project.rack.mend(fault, *arguments)


def test_a_silent_docker_leaves_ranks_unknown(project: RackProject) -> None:
    with broken(project, "docker-stop", "spark-2"):
        rank = read_status(project)["services"][0]["ranks"][1]
    assert rank["state"] is None
    assert "Docker does not answer" in rank["unread"]["state"]


def test_a_pulled_cable_and_a_lost_gpu_are_seen(project: RackProject) -> None:
    with (
        broken(project, "link-down", "spark-3", "enp1s0f0np0"),
        broken(project, "gpu-gone", "spark-3"),
    ):
        document = read_status(project)
    cables = {cable["name"]: cable["state"] for cable in document["cables"]}
    assert cables == {
        "spark-1:0-switch": "up",
        "spark-2:0-switch": "up",
        "spark-3:0-switch": "partial",
    }, document["cables"]
    first, _, third = document["nodes"]
    assert (first["gpuPowerW"] is None, third["gpuPowerW"]) == (False, None)


def build_target(project: RackProject) -> SupervisionTarget:
    ranks = tuple(
        SupervisedRank(rank, node.hostname, str(node.address), 7700, f"sparkform-qwen-{rank}")
        for rank, node in enumerate(project.rack.rack.nodes[:2])
    )
    return SupervisionTarget(
        service="qwen",
        token=TOKEN,
        runtime="container",
        engine="vllm",
        node="spark-1",
        ranks=ranks,
        url=f"http://127.0.0.1:{PORT}",
        served_name="qwen",
        key_file=None,
        over_rdma=False,
        limits=SupervisionLimits(3600.0, 600.0),
    )


@contextlib.contextmanager
def supervise(project: RackProject) -> Iterator[None]:
    """A stand-in for the supervisor: its files as it writes them, and a unit of its name."""
    rack, boot = project.rack, "cat /proc/sys/kernel/random/boot_id; cut -d' ' -f1 /proc/uptime"
    boot_id, boot_s = rack.must("spark-1", boot).split()
    now = Moment(boot_id, float(boot_s))
    began = Moment(boot_id, float(boot_s) - 90)
    record = CoordinatorRecord(phase="serving", stage="settled", since=began)
    figures = LiveFigures(0.3, 2.0, 1.0, 5000.0, 41.5, 0.25)
    files = {
        get_target_path("qwen"): build_target(project),
        get_state_path("qwen"): SupervisionState(TOKEN, coordinator=record),
        get_live_path("qwen"): LiveState(TOKEN, now, "serving", 90.0, "", figures),
    }
    rack.must("spark-1", f"sudo systemd-run --unit={UNIT} sleep 3600")
    for path, document in files.items():
        rack.must(
            "spark-1", f"sudo install -D -m 0600 /dev/stdin {path}", json.dumps(to_json(document))
        )
    try:
        yield
    finally:
        rack.must("spark-1", f"sudo systemctl stop {UNIT}; sudo rm -rf {STATE}")


def test_what_a_supervisor_writes_is_shown(project: RackProject) -> None:
    with supervise(project):
        result = project.run("status", project.stack, "--json")
    document = result.parse_json()
    (service,) = document["services"]
    assert (result.code, document["healthy"]) == (0, True)
    assert (service["state"], service["tokensPerS"], service["cacheUse"]) == ("serving", 41.5, 0.25)
    assert 90 <= service["ageS"] < 150


@contextlib.contextmanager
def start_command(project: RackProject, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "HOME": str(project.folder), "PYTHONPATH": str(ROOT)}
    environment.pop("SSH_AUTH_SOCK", None)
    command = [sys.executable, "-u", "-P", "-c", MAIN, *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=project.folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_watching_follows_a_rank_that_dies(project: RackProject) -> None:
    with start_command(project, "status", project.stack, "--watch", "--json") as process:
        assert process.stdout
        states = (json.loads(line)["services"][0]["ranks"][1]["state"] for line in process.stdout)
        assert next(state for state in states if state) == "running"
        kill_rank(project)
        assert next(state for state in states if state != "running") == "ended"


def test_a_frozen_node_becomes_unknown_and_comes_back(project: RackProject) -> None:
    with start_command(project, "status", project.stack, "--watch", "--json") as process:
        assert process.stdout
        nodes = (json.loads(line)["nodes"][2] for line in process.stdout)
        assert next(node["contact"] for node in nodes) == "answers"
        with broken(project, "freeze", "spark-3"):
            lost = next(node for node in nodes if node["contact"] is None)
            # Silent in the middle of a session, or at the login after it.
            reason = lost["unread"]["contact"]
            assert "no answer for" in reason or "sends nothing for" in reason
            assert lost["gpuPowerW"] is None
        assert next(node["contact"] for node in nodes if node["contact"]) == "answers"


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_browser()
    assert program, "no Chromium is installed; on Debian: apt-get install chromium"
    with run_browser(program, tmp_path_factory.mktemp("profile")) as running:
        running.attach()
        running.resize(1280, 900)
        yield running


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures are laid: SPARKFORM_PICTURES=docs/pictures makes those of docs/commands.md."""
    return Path(os.environ.get("SPARKFORM_PICTURES", tmp_path)).absolute()


def test_the_page_shows_a_killed_rank_soon(
    project: RackProject, browser: Browser, pictures: Path
) -> None:
    with (
        supervise(project),
        start_command(project, "dashboard", project.stack, "--port", 0) as process,
    ):
        assert process.stdout
        browser.open(process.stdout.readline().split()[1])
        browser.await_true("document.querySelectorAll('.box.answers').length == 3")
        browser.await_true("document.querySelectorAll('#service-qwen .ranks .good').length == 2")
        browser.take_screenshot(pictures / "dashboard.png")
        kill_rank(project)
        ranks = "document.querySelector('#service-qwen .ranks').innerText"
        took_s = browser.await_true(f"{ranks}.includes('ended')")
        print(f"a killed rank is on the page {took_s:.2f} s after `docker kill` returned")
        assert took_s < KILL_GUARD_S
        browser.await_true("document.querySelector('#events').innerText.includes('SIGKILL')")
        assert browser.faults == []


def test_watching_fills_a_terminal(project: RackProject, browser: Browser, pictures: Path) -> None:
    with supervise(project):
        screen = watch_in_terminal(project, ("serving", "3 of 3 nodes answer", "spark-3"))
    assert max(map(len, screen.plain.splitlines())) <= COLUMNS
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(screen)
    page = base64.b64encode(console.export_html().encode()).decode()
    browser.open(f"data:text/html;base64,{page}")
    browser.resize(700, 220)
    browser.take_screenshot(pictures / "status.png")


def watch_in_terminal(project: RackProject, words: Sequence[str]) -> Text:
    """The first whole screen of `status --watch` that has these words."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
    environment = {**os.environ, "HOME": str(project.folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", MAIN, "status", str(project.stack), "--watch"]
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env={**environment, "TERM": "xterm-256color"},
        stdin=terminal,
        stdout=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        received = ""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            received += os.read(master, 2**16).decode("utf-8", "replace")
            screens = received.split(HOME)[1:-1]
            whole = [text for text in screens if all(word in text for word in words)]
            if whole:
                break
        process.send_signal(signal.SIGINT)
        process.wait(20)
    os.close(master)
    assert whole, received[-3000:]
    return Text.from_ansi(whole[-1])


def test_nothing_is_left_on_the_nodes(project: RackProject) -> None:
    project.run("status", project.stack)
    wait_until(
        lambda: project.rack.ask("spark-1", "pgrep -f '[s]tatus .interval_s'").returncode != 0,
        "the verb ends when nobody reads any more",
        20,
    )
    assert (
        project.rack.must("spark-1", "sudo ls /var/lib/sparkform /usr/local/lib/sparkform; true")
        == ""
    )
