"""`python -m sparkrack.demo`, run once as a user runs it, and once interrupted half-way."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparkrack import daemon, inventory
from sparkrack.demo import served
from sparkrack.demo.__main__ import get_folder
from sparkrack.engines import tiny_llama
from sparkrack.layout import get_panel_name

pytestmark = [pytest.mark.rack, pytest.mark.long]

ROOT = Path(__file__).parents[2]
SHOWN_LIMIT_S = 180.0
RUN_LIMIT_S = 600.0
MOST_LINES = 120
MENDED = "spark-2 nccl_conf: NCCL_IB_DISABLE is 1, will be 0"


@pytest.fixture
def name(prepared: None) -> str:
    """Differs by checkout, so that runs side by side do not meet."""
    return f"d{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"


def build_argv(name: str) -> list[str]:
    return [sys.executable, "-m", "sparkrack.demo", "--no-engine", "--give-back", "--name", name]


def build_environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


def split_chapters(output: str) -> dict[str, str]:
    """Text by the title above it."""
    parts = output.split("\n=== ")[1:]
    return {part.partition(" ===\n")[0]: part.partition(" ===\n")[2] for part in parts}


def list_processes(text: str) -> list[str]:
    """Command lines of processes of this machine that hold `text`."""
    command_lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command_lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in command_lines if text in line]


def assert_nothing_is_left(name: str, temporary: Path) -> None:
    assert get_panel_name(name) not in inventory.list_panels()
    # The rack's own dockerd ends with the last rack.
    assert not daemon.is_running() or inventory.list_containers(name) == []
    assert list_processes(str(temporary)) == []
    assert list(temporary.iterdir()) == []


def test_the_demo_shows_drift_mends_it_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    before = sorted(path.name for path in ROOT.iterdir())
    started = time.monotonic()
    result = subprocess.run(
        build_argv(name),
        cwd=ROOT,
        env=build_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    assert time.monotonic() - started < SHOWN_LIMIT_S
    chapters_shown = split_chapters(result.stdout)
    assert (
        "spark-1 agent: node agent is not installed, will be installed"
        in chapters_shown["Preview on two untouched machines"]
    )
    resource_count = int(re.findall(r"\+ (\d+) created", chapters_shown["Deploy"])[-1])
    assert MENDED in chapters_shown["Preview the drift"]
    assert (
        f"~ 1 to update\n    {resource_count - 1} unchanged" in chapters_shown["Preview the drift"]
    )
    assert (
        f"~ 1 updated\n    {resource_count - 1} unchanged"
        in chapters_shown["Repair the drift and nothing else"]
    )
    assert (
        f"Resources:\n    {resource_count} unchanged"
        in chapters_shown["Run up again: nothing to do"]
    )
    assert f"- {resource_count} deleted" in chapters_shown["Destroy"]
    assert "sparkform init" in chapters_shown["Next: your own Sparks"]
    assert "No engine was started" in chapters_shown["Next: your own Sparks"]
    assert sorted(path.name for path in ROOT.iterdir()) == before
    assert_nothing_is_left(name, tmp_path)


def test_the_demo_asks_a_real_engine(name: str, tmp_path: Path) -> None:
    if not served.is_available():
        pytest.skip("needs `make setup ENGINE=vllm`")
    result = subprocess.run(
        [sys.executable, "-m", "sparkrack.demo", "--give-back", "--name", name],
        cwd=ROOT,
        env=build_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    chapters_shown = split_chapters(result.stdout)
    (dialogue,) = [
        text
        for title, text in chapters_shown.items()
        if title.startswith("Query the model: http://10.87.")
    ]
    answers = dict(tiny_llama.DIALOGUES)
    assert dialogue.splitlines()[:2] == [served.QUESTION, answers[served.QUESTION]]
    assert "spark-1:0-spark-2:0" in chapters_shown["Nodes, cables and services as they are now"]
    assert MENDED in chapters_shown["Preview the drift"]
    assert "The engine was real vLLM" in chapters_shown["Next: your own Sparks"]
    assert_nothing_is_left(name, tmp_path)


def test_a_demo_that_stays_works_as_it_says_and_is_removed_by_one_command(name: str) -> None:
    """What it names is run as a user would paste it."""
    stays = [sys.executable, "-m", "sparkrack.demo", "--no-engine", "--name", name]
    shown = subprocess.run(stays, cwd=ROOT, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    try:
        assert shown.returncode == 0, shown.stdout[-3000:] + shown.stderr
        assert len(shown.stdout.splitlines()) < MOST_LINES
        lines = [line.strip() for line in shown.stdout.splitlines()]
        (shell,) = [line for line in lines if line.startswith(". ")]
        (preview,) = [line for line in lines if line.startswith("pulumi preview --stack")][-1:]
        again = subprocess.run(
            ["sh", "-ec", f"{shell}; {preview}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
        )
        assert "unchanged" in again.stdout, again.stdout + again.stderr
    finally:
        down = subprocess.run([*stays, "--down"], cwd=ROOT, capture_output=True, text=True)
    assert down.returncode == 0, down.stderr
    assert not get_folder(name).exists()
    assert not daemon.is_running() or inventory.list_containers(name) == []


def test_an_interrupt_takes_everything_down(name: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        build_argv(name),
        cwd=ROOT,
        env=build_environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "prerequisites creating" in line:
                break
        assert inventory.list_containers(name) != []
        assert list_processes(str(tmp_path)) != []
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(timeout=120) == 130
    assert_nothing_is_left(name, tmp_path)
