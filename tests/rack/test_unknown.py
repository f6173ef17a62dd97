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


@pytest.mark.parametrize(
    ("hang", "reason"),
    [(hang_docker, "GET /info"), (hang_nvidia_smi, "fact gpu: nvidia-smi: no answer within")],
    ids=["dockerd", "nvidia-smi"],
)
def test_what_hangs_is_unknown_and_changes_nothing(machines, stack, hang, reason) -> None:
    before = read_docker_pids(machines)
    with hang(machines):
        outcome = stack.up()
        said = [line for line in outcome.printed if "docker_daemon: unknown (" in line]
        assert len(said) == 1
        assert reason in said[0]
        assert said[0].endswith("not changed in this run")
        assert outcome.changed == set()
        assert read_docker_pids(machines) == before
    assert stack.up().changed == set()
    assert read_docker_pids(machines) == before
