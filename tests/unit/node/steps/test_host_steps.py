"""docker_daemon, nccl_conf and host_ready: the words of a preview, and what they leave alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from node.errors import Refusal
from node.host.system import COMMAND_NOT_FOUND, Answer, Result
from node.steps import docker_daemon, host_ready, nccl_conf
from tests.support.fake_spark import (
    GPU,
    STOCK_DAEMON,
    STOCK_FSTAB,
    STOCK_TOOLKIT,
    FakeSpark,
    claim,
)
from tests.support.node_steps import run_apply, undo_all

DAEMON = "/etc/docker/daemon.json"
WANT = dict(docker_daemon.wanted(GPU))
NCCL = {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": None}
HOST = {
    "user": "nvidia",
    "docker_group": True,
    "linger": True,
    "memlock": "unlimited",
    "swap": [],
    "model_directory": "/srv/models",
    "model_directory_exists": True,
    "model_directory_mode": "0775",
    "model_directory_owner": "nvidia",
}


def phrases(step: Any, one: FakeSpark, want: Any) -> Any:
    return step.differences(step.narrow(step.observe(one.system, want), want), want)


@pytest.fixture
def ready(one):
    claim(one)
    run_apply(one.system, "docker_daemon", WANT)
    return one


def test_what_a_fresh_dgx_os_lacks_is_said_by_key(one) -> None:
    assert phrases(docker_daemon, one, WANT) == [
        "default-runtime is unset, will be nvidia",
        f"node-generic-resources is unset, will be NVIDIA_GPU={GPU}",
        "default-ulimits.memlock is unset, will be unlimited",
        "default-ulimits.stack is unset, will be 67108864",
        "swarm-resource is unset, will be DOCKER_RESOURCE_NVIDIA_GPU",
    ]


def test_a_stale_gpu_is_repaired_and_other_resources_stay(one) -> None:
    claim(one)
    tree = {**json.loads(STOCK_DAEMON), "node-generic-resources": ["FPGA=1", "NVIDIA_GPU=GPU-old"]}
    one.system.put(DAEMON, json.dumps(tree))
    assert f"node-generic-resources is NVIDIA_GPU=GPU-old, will be NVIDIA_GPU={GPU}" in phrases(
        docker_daemon, one, WANT
    )
    run_apply(one.system, "docker_daemon", WANT)
    found = json.loads(one.system.read(DAEMON))
    assert found["node-generic-resources"] == ["FPGA=1", f"NVIDIA_GPU={GPU}"]


def test_dockerd_is_restarted_once_and_not_without_need(ready) -> None:
    assert ready.restarts == 1
    run_apply(ready.system, "docker_daemon", WANT, run=2)
    assert ready.restarts == 1


def test_a_dockerd_that_has_not_read_its_file_is_restarted(ready) -> None:
    ready.running = json.loads(STOCK_DAEMON)
    assert phrases(docker_daemon, ready, WANT) == [
        "dockerd has not read its files, will be restarted"
    ]
    run_apply(ready.system, "docker_daemon", WANT, run=2)
    assert phrases(docker_daemon, ready, WANT) == []


def test_only_the_toolkits_file_needs_no_restart(ready) -> None:
    ready.system.put(docker_daemon.TOOLKIT, STOCK_TOOLKIT)
    seen = docker_daemon.observe(ready.system, WANT)
    assert docker_daemon.disturbs(docker_daemon.narrow(seen, WANT), WANT) == "none"
    run_apply(ready.system, "docker_daemon", WANT, run=2)
    assert ready.restarts == 1
    assert phrases(docker_daemon, ready, WANT) == []


def test_a_dockerd_that_does_not_start_with_our_keys_gets_its_file_back(one, patience) -> None:
    claim(one)
    one.docker_starts = False
    with pytest.raises(Refusal, match="dockerd did not come back"):
        run_apply(one.system, "docker_daemon", WANT)
    assert one.system.read(DAEMON) == STOCK_DAEMON
    one.docker_starts = True
    undo_all(one.system)
    assert one.running == json.loads(STOCK_DAEMON)


def test_a_dockerd_that_never_answers_is_given_up(one, patience) -> None:
    claim(one)
    one.system.script.requests[("GET", "/_ping")] = lambda method, path, body: Answer(0, "refused")
    with pytest.raises(Refusal, match="unknown runtime"):
        run_apply(one.system, "docker_daemon", WANT)
    assert sum(patience) > 60


def test_a_damaged_daemon_json_is_left_as_it_is(one) -> None:
    claim(one)
    one.system.put(DAEMON, "{,}")
    assert phrases(docker_daemon, one, WANT)[0].startswith(f"{DAEMON} cannot be read: ")
    with pytest.raises(Refusal, match="left as it is"):
        run_apply(one.system, "docker_daemon", WANT)
    assert one.system.read(DAEMON) == "{,}"


def test_a_missing_toolkit_is_named_before_anything_changes(one) -> None:
    claim(one)
    one.system.script.commands[("nvidia-container-runtime", "--version")] = lambda argv, stdin: (
        Result(COMMAND_NOT_FOUND, "", "")
    )
    with pytest.raises(Refusal, match="install nvidia-container-toolkit"):
        run_apply(one.system, "docker_daemon", WANT)
    assert one.system.read(DAEMON) == STOCK_DAEMON


def test_without_swarm_the_gpu_is_not_offered_and_an_admins_own_offer_stays(one) -> None:
    claim(one)
    want = dict(docker_daemon.wanted(None))
    tree = {"node-generic-resources": ["NVIDIA_GPU=theirs"]}
    one.system.put(DAEMON, json.dumps(tree))
    run_apply(one.system, "docker_daemon", want)
    found = json.loads(one.system.read(DAEMON))
    assert found["node-generic-resources"] == ["NVIDIA_GPU=theirs"]
    assert one.system.read(docker_daemon.TOOLKIT) == STOCK_TOOLKIT


def test_live_restore_is_left_alone(one) -> None:
    claim(one)
    one.system.put(DAEMON, json.dumps({**json.loads(STOCK_DAEMON), "live-restore": True}))
    run_apply(one.system, "docker_daemon", WANT)
    assert json.loads(one.system.read(DAEMON))["live-restore"] is True


def test_nccl_that_is_switched_off_is_the_line_of_the_preview(one) -> None:
    assert phrases(nccl_conf, one, NCCL) == ["NCCL_IB_DISABLE is 1, will be 0"]


def test_the_pin_that_hangs_goes_and_comments_stay(one) -> None:
    claim(one)
    one.system.put("/etc/nccl.conf", "# why\nNCCL_IB_GID_INDEX = 3 # pinned\nNCCL_DEBUG=INFO\n")
    assert phrases(nccl_conf, one, NCCL) == ["NCCL_IB_GID_INDEX is 3, will be unset"]
    run_apply(one.system, "nccl_conf", NCCL)
    assert one.system.read("/etc/nccl.conf") == "# why\nNCCL_DEBUG=INFO\n"


def test_a_key_that_is_not_set_is_as_wanted_and_no_file_is_made(one) -> None:
    claim(one)
    one.system.path("/etc/nccl.conf").unlink()
    assert phrases(nccl_conf, one, NCCL) == []
    assert run_apply(one.system, "nccl_conf", NCCL) == ["nothing to do"]
    assert one.system.read("/etc/nccl.conf") is None


def test_what_a_fresh_host_lacks_is_said_thing_by_thing(one) -> None:
    assert phrases(host_ready, one, HOST) == [
        "nvidia is not in group docker, will be added",
        "linger of nvidia is off, will be on",
        "locked memory of nvidia is unset, will be unlimited",
        "swap is on (/swap.img), will be off",
        "/srv/models is missing, will be made",
    ]


def test_swap_is_off_now_and_after_a_reboot_and_comes_back_by_undo(one) -> None:
    claim(one)
    run_apply(one.system, "host_ready", HOST)
    assert "# switched off by sparkform: /swap.img" in one.system.read("/etc/fstab")
    one.system.put("/etc/fstab", one.system.read("/etc/fstab") + "/dev/sdb /data ext4 noauto 0 0\n")
    undo_all(one.system)
    assert one.system.read("/etc/fstab") == STOCK_FSTAB + "/dev/sdb /data ext4 noauto 0 0\n"
    assert "/swap.img" in one.system.read("/proc/swaps")


def test_swap_stays_where_nobody_asked_for_less(one) -> None:
    claim(one)
    run_apply(one.system, "host_ready", {**HOST, "swap": None})
    assert one.system.read("/etc/fstab") == STOCK_FSTAB


def test_a_model_directory_that_is_somebodys_cache_keeps_its_mode(one) -> None:
    claim(one)
    one.system.path("/srv/models").mkdir(parents=True, mode=0o700)
    one.system.path("/srv/models").chmod(0o700)
    want = {**HOST, "model_directory_mode": None, "model_directory_owner": None}
    run_apply(one.system, "host_ready", want)
    assert one.system.state("/srv/models").mode == 0o700
    assert phrases(host_ready, one, HOST) == ["mode of /srv/models is 0700, will be 0775"]


def test_a_user_that_does_not_exist_and_a_group_that_does_not_are_named(one) -> None:
    claim(one)
    one.groups.pop("docker")
    with pytest.raises(Refusal, match="no group docker; install Docker first"):
        run_apply(one.system, "host_ready", HOST)
    want = {**HOST, "docker_group": False, "linger": False, "model_directory_owner": "nobody2"}
    with pytest.raises(Refusal, match="no user nobody2"):
        run_apply(one.system, "host_ready", want)
