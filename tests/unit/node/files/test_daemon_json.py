"""daemon.json as dockerd reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.files import daemon_json
from node.steps import docker_daemon

GPU = "GPU-00000000-1111-2222-3333-444444444444"
NAME = "nvidia-container-runtime"
WANT = docker_daemon.build_want(GPU)
SET = docker_daemon.Have(
    default_runtime=WANT.default_runtime,
    runtime_path=WANT.runtime_path,
    generic_resource=WANT.generic_resource,
    memlock_bytes=WANT.memlock_bytes,
    stack_bytes=WANT.stack_bytes,
    swarm_resource=WANT.swarm_resource,
    dockerd=WANT.dockerd,
)


@pytest.mark.parametrize("key", ["path", "Path", "PATH"])
def test_keys_of_a_runtime_are_read_in_any_case_and_stay_single(key: str) -> None:
    tree = {"runtimes": {"nvidia": {key: "/opt/mine", "runtimeArgs": []}}}
    assert daemon_json.read_runtime_path(tree) == "/opt/mine"
    assert daemon_json.build_runtime(tree, NAME) == {"path": NAME, "runtimeArgs": []}


@pytest.mark.parametrize(
    ("path", "is_same"),
    [
        (NAME, True),
        (f"/usr/bin/{NAME}", True),
        (f"/bin/{NAME}", True),
        (f"/opt/bin/{NAME}", False),
        ("/usr/bin/runc", False),
        (None, False),
    ],
)
def test_a_full_path_in_the_search_path_is_the_same_runtime(
    path: str | None, is_same: bool
) -> None:
    assert daemon_json.is_same_program(path, NAME) is is_same


def test_a_gpu_of_another_kind_is_named_and_ours_comes_beside_it() -> None:
    observed = replace(SET, generic_resource=None, other_kinds=f"gpu={GPU}")
    (line,) = docker_daemon.compare(docker_daemon.narrow(observed, WANT), WANT)
    assert line == (
        f"node-generic-resources has gpu={GPU}, which is another kind; NVIDIA_GPU={GPU} "
        "will be added"
    )


def test_a_gpu_of_both_kinds_is_no_difference() -> None:
    observed = replace(SET, other_kinds=f"gpu={GPU}")
    have = docker_daemon.narrow(observed, WANT)
    assert docker_daemon.compare(have, WANT) == []
    assert have.other_kinds is None


@pytest.mark.parametrize(
    ("resource", "lines"),
    [
        ("DOCKER_RESOURCE_GPU, DOCKER_RESOURCE_NVIDIA_GPU", 0),
        ("DOCKER_RESOURCE_GPU", 1),
    ],
)
def test_the_runtime_may_read_several_resources(resource: str, lines: int) -> None:
    have = docker_daemon.narrow(replace(SET, swarm_resource=resource), WANT)
    assert len(docker_daemon.compare(have, WANT)) == lines
