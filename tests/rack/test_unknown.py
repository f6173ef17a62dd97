"""What hangs on a node is said to be unknown; nothing is restarted for it, then or later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

NODE = "spark-2"
HANGING_TOOL = "/run/hanging-nvidia-smi"


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


@pytest.fixture(scope="module")
def stack(machines: RackHandle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("unknown"))
    deployment.up()
    yield deployment
    deployment.destroy()


@contextmanager
def hang_docker(machines: RackHandle) -> Iterator[None]:
    machines.must(NODE, "sudo systemctl kill --kill-whom=main --signal=STOP docker")
    try:
        yield
    finally:
        machines.must(NODE, "sudo systemctl kill --kill-whom=main --signal=CONT docker")


@contextmanager
def hang_nvidia_smi(machines: RackHandle) -> Iterator[None]:
    tool = machines.must(NODE, "sudo sh -c 'command -v nvidia-smi'").strip()
    script = "#!/bin/sh\nexec sleep 60\n"
    machines.must(NODE, f"sudo install -m 0755 /dev/stdin {HANGING_TOOL}", script)
    machines.must(NODE, f"sudo mount --bind {HANGING_TOOL} {tool}")
    try:
        yield
    finally:
        machines.must(NODE, f"sudo umount {tool} && sudo rm {HANGING_TOOL}")


def read_docker_pids(machines: RackHandle) -> list[str]:
    show = "systemctl show --property=MainPID --value docker"
    return [machines.must(host, show) for host in machines.hosts]


@contextmanager
def keep_docker(machines: RackHandle) -> Iterator[None]:
    """Nothing of Docker is started anew, now or in the run after it."""
    before = read_docker_pids(machines)
    yield
    assert read_docker_pids(machines) == before


def test_a_silent_dockerd_is_unknown_and_changes_nothing(
    machines: RackHandle, stack: Deployment
) -> None:
    with keep_docker(machines):
        with hang_docker(machines):
            outcome = stack.run("up", "--yes", "--skip-preview")
        assert outcome.exit_code != 0
        lines = "\n".join(outcome.errors).splitlines()
        (line,) = {line for line in lines if line.startswith(f"{NODE} docker_daemon: ")}
        assert line.startswith(f"{NODE} docker_daemon: unknown (no answer in ")
        assert line.endswith("not changed in this run")
        assert outcome.changed == set()
        assert stack.up().changed == set()


def test_a_hanging_nvidia_smi_changes_nothing(machines: RackHandle, stack: Deployment) -> None:
    """No step of this rack is planned from the GPU, so none is held."""
    with keep_docker(machines):
        with hang_nvidia_smi(machines):
            outcome = stack.up()
        assert outcome.changed == set()
        assert stack.up().changed == set()
