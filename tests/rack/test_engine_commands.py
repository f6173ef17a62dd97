"""`sparkform logs` and `sparkform doctor` on engines that run, die and leave their logs behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest
import yaml

from tests.rack.command_line import MAIN, ROOT, RackProject, create_project
from tests.rack.conftest import RackFactory
from tests.support import scripted_engine as engines
from tests.support.scripted_engine import SERVICE, Plan
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rack

TOKEN = "4be1c0de00aa-1"
REMAIN_LIMIT_S = 10.0
LINES = [f"line {number}" for number in range(5)]


@pytest.fixture(scope="module")
def project(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> RackProject:
    """Two nodes in a stack file that declares one service over both."""
    project = create_project(rack(2, "direct"), tmp_path_factory.mktemp("lab"))
    result = project.init()
    assert result.code == 0, result.err
    document = yaml.safe_load(project.stack.read_text())
    document["config"]["sparkform:services"] = {"qwen": SERVICE}
    project.stack.write_text(yaml.safe_dump(document))
    for host in project.rack.hosts:
        engines.prepare(project.rack, host)
    return project


@pytest.fixture(autouse=True)
def _clean(project: RackProject) -> Iterator[None]:
    for host in project.rack.hosts:
        engines.clear(project.rack, host)
    yield
    for host in project.rack.hosts:
        engines.clear(project.rack, host)


def start_engines(project: RackProject, *plans: Plan) -> None:
    for rank, (host, plan) in enumerate(zip(project.rack.hosts, plans, strict=True)):
        engines.start_container(project.rack, host, rank, TOKEN, plan)
    for host, plan in zip(project.rack.hosts, plans, strict=True):
        engines.await_end(project.rack, host, plan)


def list_rows(project: RackProject, node: str | None) -> list[dict[str, Any]]:
    result, checks = project.run_doctor()
    print(f"doctor: {result.took_s:.1f} s")
    return [row for row in checks if (row["node"], row["name"]) == (node, "service qwen")]


def test_logs_of_both_nodes_come_behind_their_names(project: RackProject) -> None:
    start_engines(project, Plan(lines=LINES), Plan("hang", lines=LINES))
    result = project.run("logs", project.stack, "--lines", 2)
    assert result.code == 0, result.err
    print(f"logs: {result.took_s:.1f} s")
    assert sorted(result.out.splitlines()) == [
        "spark-1 qwen/0 | INFO:     Application startup complete.",
        "spark-1 qwen/0 | line 4",
        "spark-2 qwen/1 | line 3",
        "spark-2 qwen/1 | line 4",
    ]


@contextmanager
def follow_logs(project: RackProject) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """`sparkform logs --follow` as it runs, with all that it says."""
    environment = {**os.environ, "HOME": str(project.folder), "PYTHONPATH": str(ROOT)}
    environment.pop("SSH_AUTH_SOCK", None)
    # Background jobs of some shells ignore SIGINT, and so would their children. Not in a
    # `preexec_fn`: where gRPC has threads, as in other tests, some children die of it.
    interruptible = ["env", "--default-signal=INT", sys.executable, "-P", "-c", MAIN]
    with subprocess.Popen(
        [*interruptible, "logs", str(project.stack), "--follow"],
        cwd=project.folder,
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


def list_log_readers(project: RackProject) -> list[str]:
    """Process ids on all nodes."""
    return [
        pid
        for host in project.rack.hosts
        for pid in project.rack.ask(host, "pgrep -f '^python3.* logs '").stdout.split()
    ]


def test_following_takes_up_what_starts_and_ctrl_c_leaves_nothing_running(
    project: RackProject,
) -> None:
    with follow_logs(project) as (process, output):
        first_lines = [output.readline() for _ in project.rack.hosts]
        assert all("no log was kept" in line for line in first_lines), first_lines
        start_engines(project, Plan("hang", lines=LINES), Plan("hang", lines=LINES))
        later = {output.readline() for _ in range(2 * len(LINES))}
        assert f"spark-2 qwen/1 | {LINES[4]}\n" in later
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert output.read() == ""
    wait_until(lambda: not list_log_readers(project), "a log reader goes on", REMAIN_LIMIT_S)


def test_kept_logs_speak_where_no_engine_is(project: RackProject) -> None:
    keep = "sudo install -D -m 0600 /dev/stdin /var/log/sparkform/qwen/20250101T000000Z.log"
    project.rack.must("spark-1", keep, "the end\n")
    result = project.run("logs", project.stack)
    assert "spark-1 qwen | the end" in result.out
    assert "spark-2 qwen | no engine is here, and no log was kept" in result.out


def test_doctor_finds_a_service_that_answers(project: RackProject) -> None:
    start_engines(project, Plan(lines=LINES), Plan("hang", lines=LINES))
    first, second = list_rows(project, "spark-1")
    assert {first["status"], second["status"]} == {"ok"}
    assert "completes one token" in second["message"]
    assert [first["status"] for first in list_rows(project, "spark-2")] == ["ok"]


def test_doctor_names_a_dead_rank_with_exit_code_and_last_lines(project: RackProject) -> None:
    start_engines(project, Plan(lines=LINES), Plan("hang", lines=LINES))
    engines.kill_later(project.rack, "spark-2", 1, 0)
    wait_until(
        lambda: not engines.is_running(project.rack, "spark-2", 1), "rank 1 lives", REMAIN_LIMIT_S
    )
    (dead,) = list_rows(project, "spark-2")
    assert dead["status"] == "fail"
    assert "rank 1 is dead, sparkform-qwen-1: exit code 137 (SIGKILL)" in dead["message"]
    assert dead["message"].endswith("| line 4")
    assert "pulumi up" in dead["fix"]


def test_doctor_finds_a_head_that_gives_no_answer(project: RackProject) -> None:
    start_engines(project, Plan("hang", lines=LINES), Plan("hang", lines=LINES))
    row = list_rows(project, "spark-1")[1]
    assert row["status"] == "fail"
    assert "does not answer (after" in row["message"]


def test_doctor_finds_missing_ranks_and_other_starts(project: RackProject) -> None:
    engines.start_container(project.rack, "spark-1", 0, TOKEN, Plan())
    assert "rank 1 has no engine here" in list_rows(project, "spark-2")[0]["message"]
    engines.start_container(project.rack, "spark-2", 1, "4be1c0de00aa-7", Plan("hang"))
    (row,) = list_rows(project, None)
    assert "different starts" in row["message"]
