"""A node that only another one reaches: looked at, kept and served from through a jump host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkrack.login import USER
from tests.rack.conftest import RackFactory
from tests.support import tiny_engine
from tests.support.deployment import Deployment
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

SHUT = "sudo iptables -I INPUT -p tcp --syn --dport 22 -s {outside} -j REJECT"


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    """spark-2 takes no login from outside."""
    machines = rack(nodes=2, fabric="direct")
    tiny_engine.install(machines)
    machines.must("spark-2", SHUT.format(outside=machines.rack.host_address))
    return machines


@pytest.fixture(scope="module")
def deployment(
    machines: RackHandle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    folder: Path = tmp_path_factory.mktemp("jump")
    deployment = Deployment.create(machines, folder)
    jump = machines.rack.nodes[0].address
    known = folder / "known_hosts"
    known.write_text(f"{jump} {deployment.cluster['nodes'][0]['hostKey']}\n")
    deployment.cluster |= {"proxyJump": f"{USER}@{jump}", "knownHostsFile": str(known)}
    deployment.declare_memory()
    deployment.services = {"tiny": tiny_engine.build_service(nodes=["spark-2"])}
    yield deployment
    deployment.destroy()


def test_nobody_gets_there_directly(machines: RackHandle) -> None:
    result = machines.ask("spark-2", "true")
    assert result.returncode == 255
    assert "refused" in result.stderr


def test_everything_comes_up_and_serves_through_the_jump_host(
    deployment: Deployment, machines: RackHandle
) -> None:
    deployment.up()
    curl = f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' http://{machines.rack.nodes[1].address}"
    assert machines.must("spark-1", f"{curl}:8000/v1/models") == "200"
    assert deployment.up().changed == set()


def test_without_the_jump_host_the_node_is_named(deployment: Deployment) -> None:
    """The control: it is the jump host that makes the difference."""
    jump = deployment.cluster.pop("proxyJump")
    outcome = deployment.run("preview")
    deployment.cluster["proxyJump"] = jump
    assert outcome.exit_code != 0
    assert "spark-2" in "\n".join(outcome.errors)
