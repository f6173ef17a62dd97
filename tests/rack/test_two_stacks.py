"""Two stacks, two runs, another folder, another program: whose node it is and who may change it."""

from __future__ import annotations

import base64
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from node.host.paths import LOCK, ZIPAPP
from node.state import lock
from sparkform.ssh import agent
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.digest import Digest, compute_digest, list_changes
from tests.support.rack import RackHandle
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rack

NAME = "organization/sparkform/test"
DRIFT = "sudo loginctl disable-linger nvidia"
# A run of somebody else that takes its time: the lock as the product itself takes it.
HOLD = f"""
import sys, time
sys.path.insert(0, "{ZIPAPP}")
from node.state import lock
from node.host.system import System
with lock.hold(System(), "apply prerequisites for lab/other/spark-2/prerequisites"):
    time.sleep(22)
"""


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


@pytest.fixture(scope="module")
def deployment(
    machines: RackHandle, untouched: Digest, tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("deployment"))
    deployment.up()
    return deployment


def test_another_stack_is_refused_by_name_before_anything_is_done(
    deployment: Deployment, machines: RackHandle, tmp_path: Path
) -> None:
    other_deployment = Deployment.create(machines, tmp_path, "other")
    for run in (
        other_deployment.run("preview"),
        other_deployment.run("up", "--yes", "--skip-preview"),
    ):
        assert run.exit_code != 0
        assert run.changed_steps == set()
        for index, node in enumerate(("spark-1", "spark-2")):
            start = f"cluster.nodes[{index}]: {node} belongs to stack sparkform/test, "
            assert f"{start}not to sparkform/other" in run.errors[0]
            assert "run `pulumi destroy` in sparkform/test first" in run.errors[0]
    assert deployment.up().changed == set()


def test_of_two_runs_of_one_stack_pulumi_refuses_the_second(
    deployment: Deployment, machines: RackHandle
) -> None:
    machines.must("spark-2", DRIFT)
    deployment.write_stack_file()
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda _: run_up(deployment), range(2)))
    assert sorted(run.returncode == 0 for run in runs) == [False, True]
    (refused,) = [run for run in runs if run.returncode]
    assert "the stack is currently locked by 1 lock" in refused.stderr
    assert deployment.up().changed == set()


def run_up(deployment: Deployment) -> subprocess.CompletedProcess[str]:
    arguments = ("--stack", deployment.stack, "--config-file", str(deployment.stack_file))
    return deployment.run_pulumi("up", "--yes", "--skip-preview", *arguments)


def test_two_runs_from_two_places_wait_for_one_another_on_the_node(
    deployment: Deployment, machines: RackHandle, tmp_path: Path
) -> None:
    """Pulumi's lock is the backend's; two copies of it know nothing of each other."""
    copy = replace(deployment, folder=tmp_path / "copy")
    shutil.copytree(deployment.folder, copy.folder)
    machines.must("spark-2", DRIFT)
    with ThreadPoolExecutor() as pool:
        runs = list(
            pool.map(lambda stack: stack.run("up", "--yes", "--skip-preview"), [deployment, copy])
        )
    assert [(run.exit_code, run.errors) for run in runs] == [(0, []), (0, [])]
    assert deployment.up().changed == set()


def hold_lock(machines: RackHandle) -> None:
    """In a session of its own, so that this login does not wait for it."""
    machines.must("spark-2", "cat > /tmp/hold.py", HOLD)
    machines.must("spark-2", "sudo setsid -f python3 /tmp/hold.py > /dev/null 2>&1 < /dev/null")
    machines.must(
        "spark-2", f"timeout 9 sh -c 'until sudo grep -q lab/other {LOCK}; do sleep 0.2; done'"
    )


def is_running_on(machines: RackHandle, program: str) -> bool:
    return machines.ask("spark-2", f"pgrep -f '^[^ ]*python3 .*{program}'").returncode == 0


def test_who_holds_a_node_is_said_as_soon_as_one_waits_for_it(
    deployment: Deployment, machines: RackHandle
) -> None:
    machines.must("spark-2", DRIFT)
    hold_lock(machines)
    outcome = deployment.run("up", "--yes", "--skip-preview")
    machines.must("spark-2", "rm /tmp/hold.py")
    assert (outcome.exit_code, outcome.errors) == (0, [])
    holder = "apply prerequisites for lab/other/spark-2/prerequisites"
    message = f"waiting: The node is locked by {holder} since"
    assert [line for line in outcome.printed if message in line]


def test_what_a_killed_run_left_waiting_gives_up(
    deployment: Deployment, machines: RackHandle
) -> None:
    """It could come after the next run of the same stack otherwise, with an older wish."""
    machines.must("spark-2", DRIFT)
    hold_lock(machines)
    with deployment.start("up") as engine:
        wait_until(
            lambda: is_running_on(machines, "node.pyz apply"), "nothing waits on the node", 30
        )
        engine.kill()
    # Before it would say for whom it waits, and fail as nobody reads that.
    wait_until(
        lambda: not is_running_on(machines, "node.pyz apply"),
        "it waits on",
        lock.NOTIFY_AFTER_S / 2,
    )
    assert is_running_on(machines, "/tmp/hold.py"), "it must have given up, not have had its turn"
    wait_until(lambda: not is_running_on(machines, "/tmp/hold.py"), "the holder does not end", 30)
    machines.must("spark-2", "rm /tmp/hold.py")
    deployment.recover()
    assert deployment.up().changed == {"spark-2-prerequisites"}


def test_a_newer_program_undoes_what_an_older_one_did_from_the_backend_alone(
    deployment: Deployment, machines: RackHandle, untouched: Digest, tmp_path: Path
) -> None:
    sources = tmp_path / "node"
    shutil.copytree(agent.SOURCES, sources)
    (sources / "newer.py").write_text('"""A module that a later version brings."""\n')
    newer = agent.build_zipapp(sources)
    machines.must(
        "spark-1", f"base64 -d | sudo tee {ZIPAPP} > /dev/null", base64.b64encode(newer).decode()
    )
    messages = deployment.preview().messages
    assert messages == ["spark-1 agent: node agent will be upgraded"]

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    result = subprocess.run(
        deployment.build_argv("destroy", "--yes", "--skip-preview", "--stack", NAME),
        cwd=elsewhere,
        env=deployment.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr + result.stdout
    assert list_changes(untouched, compute_digest(machines)) == []
