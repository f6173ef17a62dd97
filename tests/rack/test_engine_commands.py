"""`sparkform logs` and `sparkform doctor` on engines that run, die and leave their logs behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest
import yaml

from tests.rack.command_line import MAIN, ROOT, Bench, bench
from tests.rack.conftest import RackFactory
from tests.support import scripted_engine as engines
from tests.support.scripted_engine import PORT, Plan

pytestmark = pytest.mark.rack

TOKEN = "4be1c0de00aa-1"
SERVICE = {
    "engine": "vllm",
    "runtime": "container",
    "image": "vllm/vllm-openai:v0.32.0",
    "model": "Qwen/Qwen3-8B",
    "port": PORT,
    "tensorParallel": 2,
}
LINES = [f"line {number}" for number in range(5)]


@pytest.fixture(scope="module")
def lab(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two nodes in a stack file that declares one service over both."""
    found = bench(rack(2, "direct"), tmp_path_factory.mktemp("lab"))
    ran = found.init()
    assert ran.code == 0, ran.err
    document = yaml.safe_load(found.stack.read_text())
    document["config"]["sparkform:services"] = {"qwen": SERVICE}
    found.stack.write_text(yaml.safe_dump(document))
    for host in found.rack.hosts:
        engines.prepare(found.rack, host)
    return found


@pytest.fixture(autouse=True)
def _clean(lab: Bench) -> Iterator[None]:
    for host in lab.rack.hosts:
        engines.clear(lab.rack, host)
    yield
    for host in lab.rack.hosts:
        engines.clear(lab.rack, host)


def start(lab: Bench, *plans: Plan) -> None:
    for rank, (host, plan) in enumerate(zip(lab.rack.hosts, plans, strict=True)):
        engines.start_container(lab.rack, host, rank, TOKEN, plan)
    time.sleep(3)


def rows(lab: Bench, node: str | None) -> list[dict[str, Any]]:
    ran, checks = lab.checks()
    print(f"doctor: {ran.took_s:.1f} s")
    return [one for one in checks if (one["node"], one["name"]) == (node, "service qwen")]


def test_logs_of_both_nodes_come_behind_their_names(lab: Bench) -> None:
    start(lab, Plan(lines=LINES), Plan("hang", lines=LINES))
    ran = lab.run("logs", lab.stack, "--lines", 2)
    assert ran.code == 0, ran.err
    print(f"logs: {ran.took_s:.1f} s")
    assert sorted(ran.out.splitlines()) == [
        "spark-1 qwen/0 | INFO:     Application startup complete.",
        "spark-1 qwen/0 | line 4",
        "spark-2 qwen/1 | line 3",
        "spark-2 qwen/1 | line 4",
    ]


@contextmanager
def following(lab: Bench) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """`sparkform logs --follow` as it runs, with all that it says."""
    environment = {**os.environ, "HOME": str(lab.folder), "PYTHONPATH": str(ROOT)}
    environment.pop("SSH_AUTH_SOCK", None)
    # Background jobs of some shells ignore SIGINT, and so would their children. Not in a
    # `preexec_fn`: where gRPC has threads, as in other tests, some children die of it.
    interruptible = ["env", "--default-signal=INT", sys.executable, "-P", "-c", MAIN]
    with subprocess.Popen(
        [*interruptible, "logs", str(lab.stack), "--follow"],
        cwd=lab.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


def test_following_takes_up_what_starts_and_ctrl_c_leaves_nothing_running(lab: Bench) -> None:
    with following(lab) as (process, output):
        said = [output.readline() for _ in lab.rack.hosts]
        assert all("no log was kept" in line for line in said), said
        start(lab, Plan("hang", lines=LINES), Plan("hang", lines=LINES))
        later = {output.readline() for _ in range(2 * len(LINES))}
        assert f"spark-2 qwen/1 | {LINES[4]}\n" in later
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert output.read() == ""
    time.sleep(2)
    for host in lab.rack.hosts:
        assert lab.rack.ask(host, "pgrep -f '^python3.* logs '").stdout == ""


def test_kept_logs_speak_where_no_engine_is(lab: Bench) -> None:
    keep = "sudo install -D -m 0600 /dev/stdin /var/log/sparkform/qwen/20250101T000000Z.log"
    lab.rack.must("spark-1", keep, "the end\n")
    ran = lab.run("logs", lab.stack)
    assert "spark-1 qwen | the end" in ran.out
    assert "spark-2 qwen | no engine is here, and no log was kept" in ran.out


def test_doctor_finds_a_service_that_answers(lab: Bench) -> None:
    start(lab, Plan(lines=LINES), Plan("hang", lines=LINES))
    one, two = rows(lab, "spark-1")
    assert {one["status"], two["status"]} == {"ok"}
    assert "completes one token" in two["message"]
    assert [one["status"] for one in rows(lab, "spark-2")] == ["ok"]


def test_doctor_names_a_dead_rank_with_exit_code_and_last_lines(lab: Bench) -> None:
    start(lab, Plan(lines=LINES), Plan("hang", lines=LINES))
    engines.kill_later(lab.rack, "spark-2", 1, 0)
    time.sleep(1)
    (dead,) = rows(lab, "spark-2")
    assert dead["status"] == "fail"
    assert "rank 1 is dead, sparkform-qwen-1: exit code 137 (SIGKILL)" in dead["message"]
    assert dead["message"].endswith("| line 4")
    assert "pulumi up" in dead["fix"]


def test_doctor_finds_a_head_that_gives_no_answer(lab: Bench) -> None:
    start(lab, Plan("hang", lines=LINES), Plan("hang", lines=LINES))
    found = rows(lab, "spark-1")[1]
    assert found["status"] == "fail"
    assert "gives no answer" in found["message"]


def test_doctor_finds_missing_ranks_and_other_starts(lab: Bench) -> None:
    engines.start_container(lab.rack, "spark-1", 0, TOKEN, Plan())
    assert "rank 1 has no engine here" in rows(lab, "spark-2")[0]["message"]
    engines.start_container(lab.rack, "spark-2", 1, "4be1c0de00aa-7", Plan("hang"))
    (found,) = rows(lab, None)
    assert "different starts" in found["message"]
