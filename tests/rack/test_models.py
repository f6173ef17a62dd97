"""Models get to the nodes: from the hub to the first one, and from there to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rack import hub
from rack.hub import Repository, Source
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

MODELS = "/var/lib/sparkform/models/hub"
Stack = Callable[[], Deployment]


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


@pytest.fixture
def stack(machines: RackHandle, tmp_path: Path) -> Iterator[Deployment]:
    """A stack of its own for each test, and no model before or after it."""
    deployment = Deployment.on(machines, tmp_path)
    deployment.cluster["keepModels"] = False
    hub.pace(machines.rack, 0)
    yield deployment
    hub.pace(machines.rack, 0)
    deployment.destroy()


def root(handle: str) -> str:
    return f"{MODELS}/models--{handle.replace('/', '--')}"


def contents(machines: RackHandle, host: str, handle: str) -> dict[str, str]:
    """sha256 by name of what an engine sees of a model."""
    script = f"cd {root(handle)}/snapshots/* && sha256sum *"
    lines = machines.must(host, script).splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def whole(repository: Repository, found: dict[str, str]) -> bool:
    large = {one.path: one.sha256 for one in repository.files if one.sha256}
    return set(found) == {one.path for one in repository.files} and large.items() <= found.items()


def lines_of(deployment: Deployment) -> list[str]:
    return [line for line in deployment.preview().said if " model:" in line]


def test_a_model_is_downloaded_once_and_spread_and_then_left_alone(
    machines: RackHandle, stack: Deployment
) -> None:
    handle = "acme/once"
    repository = hub.add(machines.rack, handle, Source(shards=3, shard_mib=24))
    stack.cluster["models"] = [handle]
    asked = len(hub.requests(machines.rack))
    assert lines_of(stack) == [
        f"spark-1 model:acme--once: {handle} is missing, will be downloaded",
        f"spark-2 model:acme--once: {handle} is missing, will be copied from spark-1",
    ]
    done = stack.up()
    assert [line for line in done.printed if "received" in line]
    for host in machines.hosts:
        assert whole(repository, contents(machines, host, handle))
        assert machines.must(host, f"cat {root(handle)}/refs/main") == repository.commit
        assert machines.must(host, f"stat -c %U {root(handle)}/blobs").strip() == "nvidia"
    fetched = [line for line in hub.requests(machines.rack)[asked:] if "GET /acme/once/" in line]
    assert len(fetched) == len(repository.files)
    assert stack.up().changed == set()
    stack.destroy()
    assert machines.must("spark-1", "ls /run /var/lib /opt | grep sparkform || true") == ""
