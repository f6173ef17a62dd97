"""docker_daemon, nccl_conf and prerequisites: the words of a preview, and what they leave alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from node.errors import StepError
from node.host.system import COMMAND_NOT_FOUND, CommandResult, HttpAnswer
from node.steps import docker_daemon, nccl_conf, prerequisites
from tests.support.fake_spark import (
    GPU,
    STOCK_DAEMON,
    STOCK_FSTAB,
    STOCK_TOOLKIT,
    FakeSpark,
    claim_node,
)
from tests.support.node_steps import list_differences, read_have, run_apply, undo_all

DAEMON = "/etc/docker/daemon.json"
WANT = docker_daemon.build_want(GPU)
NCCL = nccl_conf.Want(ib_disable="0", ib_gid_index=None)
HOST = prerequisites.Want(
    user="nvidia",
    docker_group=True,
    linger=True,
    memlock="unlimited",
    swap=(),
    model_directory="/srv/models",
    model_directory_exists=True,
    model_directory_mode="0775",
    model_directory_owner="nvidia",
)


def describe_differences(step: Any, spark: FakeSpark, want: object) -> list[str]:
    request = {"user": HOST.user, "model_directory": HOST.model_directory}
    return list_differences(step.SPEC, spark.system, want, **request)


@pytest.fixture
def docker_spark(spark):
    claim_node(spark)
    run_apply(spark.system, "docker_daemon", WANT)
    return spark


def test_what_a_fresh_dgx_os_lacks_is_said_by_key(spark) -> None:
    assert describe_differences(docker_daemon, spark, WANT) == [
        "default-runtime is unset, will be nvidia",
        f"node-generic-resources is unset, will be NVIDIA_GPU={GPU}",
        "default-ulimits.memlock is unset, will be unlimited",
        "default-ulimits.stack is unset, will be 67108864",
        "swarm-resource is unset, will be DOCKER_RESOURCE_NVIDIA_GPU",
    ]


def test_a_stale_gpu_is_repaired_and_other_resources_stay(spark) -> None:
    claim_node(spark)
    tree = {**json.loads(STOCK_DAEMON), "node-generic-resources": ["FPGA=1", "NVIDIA_GPU=GPU-old"]}
    spark.system.put(DAEMON, json.dumps(tree))
    assert (
        f"node-generic-resources is NVIDIA_GPU=GPU-old, will be NVIDIA_GPU={GPU}"
        in describe_differences(docker_daemon, spark, WANT)
    )
    run_apply(spark.system, "docker_daemon", WANT)
    daemon = json.loads(spark.system.read(DAEMON))
    assert daemon["node-generic-resources"] == ["FPGA=1", f"NVIDIA_GPU={GPU}"]


def test_dockerd_is_restarted_once_and_not_without_need(docker_spark) -> None:
    assert docker_spark.restarts == 1
    run_apply(docker_spark.system, "docker_daemon", WANT, run=2)
    assert docker_spark.restarts == 1


def test_a_dockerd_that_has_not_read_its_file_is_restarted(docker_spark) -> None:
    docker_spark.running = json.loads(STOCK_DAEMON)
    assert describe_differences(docker_daemon, docker_spark, WANT) == [
        "dockerd has not read its files, will be restarted"
    ]
    run_apply(docker_spark.system, "docker_daemon", WANT, run=2)
    assert describe_differences(docker_daemon, docker_spark, WANT) == []


def test_only_the_toolkits_file_needs_no_restart(docker_spark) -> None:
    docker_spark.system.put(docker_daemon.TOOLKIT, STOCK_TOOLKIT)
    have = read_have(docker_daemon.SPEC, docker_spark.system, WANT)
    assert docker_daemon.get_disturbance(have, WANT) == "none"
    run_apply(docker_spark.system, "docker_daemon", WANT, run=2)
    assert docker_spark.restarts == 1
    assert describe_differences(docker_daemon, docker_spark, WANT) == []


def test_a_dockerd_that_does_not_start_with_our_keys_gets_its_file_back(spark, patience) -> None:
    claim_node(spark)
    spark.docker_starts = False
    with pytest.raises(StepError, match="dockerd does not answer after its restart"):
        run_apply(spark.system, "docker_daemon", WANT)
    assert spark.system.read(DAEMON) == STOCK_DAEMON
    spark.docker_starts = True
    undo_all(spark.system)
    assert spark.running == json.loads(STOCK_DAEMON)


def test_a_dockerd_that_never_answers_is_given_up(spark, patience) -> None:
    claim_node(spark)
    spark.system.script.requests[("GET", "/_ping")] = lambda method, path, body: HttpAnswer(
        0, "refused"
    )
    with pytest.raises(StepError, match="unknown runtime"):
        run_apply(spark.system, "docker_daemon", WANT)
    assert sum(patience) > 60


def test_a_damaged_daemon_json_is_left_as_it_is(spark) -> None:
    claim_node(spark)
    spark.system.put(DAEMON, "{,}")
    assert describe_differences(docker_daemon, spark, WANT)[0].startswith(
        f"{DAEMON} cannot be read: "
    )
    with pytest.raises(StepError, match="left as it is"):
        run_apply(spark.system, "docker_daemon", WANT)
    assert spark.system.read(DAEMON) == "{,}"


def test_a_missing_toolkit_is_named_before_anything_changes(spark) -> None:
    claim_node(spark)
    spark.system.script.commands[("nvidia-container-runtime", "--version")] = lambda argv, stdin: (
        CommandResult(COMMAND_NOT_FOUND, "", "")
    )
    with pytest.raises(StepError, match="install nvidia-container-toolkit"):
        run_apply(spark.system, "docker_daemon", WANT)
    assert spark.system.read(DAEMON) == STOCK_DAEMON


def test_without_swarm_the_gpu_is_not_offered_and_an_admins_own_offer_stays(spark) -> None:
    claim_node(spark)
    want = docker_daemon.build_want(None)
    tree = {"node-generic-resources": ["NVIDIA_GPU=theirs"]}
    spark.system.put(DAEMON, json.dumps(tree))
    run_apply(spark.system, "docker_daemon", want)
    daemon = json.loads(spark.system.read(DAEMON))
    assert daemon["node-generic-resources"] == ["NVIDIA_GPU=theirs"]
    assert spark.system.read(docker_daemon.TOOLKIT) == STOCK_TOOLKIT


def test_live_restore_is_left_alone(spark) -> None:
    claim_node(spark)
    spark.system.put(DAEMON, json.dumps({**json.loads(STOCK_DAEMON), "live-restore": True}))
    run_apply(spark.system, "docker_daemon", WANT)
    assert json.loads(spark.system.read(DAEMON))["live-restore"] is True


def test_nccl_that_is_switched_off_is_the_line_of_the_preview(spark) -> None:
    assert describe_differences(nccl_conf, spark, NCCL) == ["NCCL_IB_DISABLE is 1, will be 0"]


def test_the_pin_that_hangs_goes_and_comments_stay(spark) -> None:
    claim_node(spark)
    spark.system.put("/etc/nccl.conf", "# why\nNCCL_IB_GID_INDEX = 3 # pinned\nNCCL_DEBUG=INFO\n")
    assert describe_differences(nccl_conf, spark, NCCL) == ["NCCL_IB_GID_INDEX is 3, will be unset"]
    run_apply(spark.system, "nccl_conf", NCCL)
    assert spark.system.read("/etc/nccl.conf") == "# why\nNCCL_DEBUG=INFO\n"


def test_a_key_that_is_not_set_is_as_wanted_and_no_file_is_made(spark) -> None:
    claim_node(spark)
    spark.system.path("/etc/nccl.conf").unlink()
    assert describe_differences(nccl_conf, spark, NCCL) == []
    assert run_apply(spark.system, "nccl_conf", NCCL) == ["nothing to do"]
    assert spark.system.read("/etc/nccl.conf") is None


def test_what_a_fresh_host_lacks_is_said_thing_by_thing(spark) -> None:
    assert describe_differences(prerequisites, spark, HOST) == [
        "nvidia is not in group docker, will be added",
        "linger of nvidia is off, will be on",
        "locked memory of nvidia is unset, will be unlimited",
        "swap is on (/swap.img), will be off",
        "/srv/models is missing, will be created",
    ]


def test_swap_is_off_now_and_after_a_reboot_and_comes_back_by_undo(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "prerequisites", HOST)
    assert "# switched off by sparkform: /swap.img" in spark.system.read("/etc/fstab")
    spark.system.put(
        "/etc/fstab", spark.system.read("/etc/fstab") + "/dev/sdb /data ext4 noauto 0 0\n"
    )
    undo_all(spark.system)
    assert spark.system.read("/etc/fstab") == STOCK_FSTAB + "/dev/sdb /data ext4 noauto 0 0\n"
    assert "/swap.img" in spark.system.read("/proc/swaps")


def test_swap_stays_where_nobody_asked_for_less(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "prerequisites", replace(HOST, swap=None))
    assert spark.system.read("/etc/fstab") == STOCK_FSTAB


def test_a_model_directory_that_is_somebodys_cache_keeps_its_mode(spark) -> None:
    claim_node(spark)
    spark.system.path("/srv/models").mkdir(parents=True, mode=0o700)
    spark.system.path("/srv/models").chmod(0o700)
    want = replace(HOST, model_directory_mode=None, model_directory_owner=None)
    run_apply(spark.system, "prerequisites", want)
    assert spark.system.get_state("/srv/models").mode == 0o700
    assert describe_differences(prerequisites, spark, HOST) == [
        "mode of /srv/models is 0700, will be 0775"
    ]


def test_a_user_that_does_not_exist_and_a_group_that_does_not_are_named(spark) -> None:
    claim_node(spark)
    spark.groups.pop("docker")
    with pytest.raises(StepError, match="no group docker; install Docker first"):
        run_apply(spark.system, "prerequisites", HOST)
    want = replace(HOST, docker_group=False, linger=False, model_directory_owner="nobody2")
    with pytest.raises(StepError, match="no user nobody2"):
        run_apply(spark.system, "prerequisites", want)


def test_daemon_json_is_read_as_dockerd_reads_it(spark) -> None:
    """Keys of a limit in any case (encoding/json), and a runtime by its full path."""
    limits = {
        "memlock": {"name": "memlock", "hard": -1, "soft": -1},
        "stack": {"NAME": "stack", "HARD": 67108864, "SOFT": 67108864},
    }
    text = json.dumps(
        {
            "default-runtime": "nvidia",
            "default-ulimits": limits,
            "node-generic-resources": [f"NVIDIA_GPU={GPU}"],
            "runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime"}},
        }
    )
    spark.system.put(DAEMON, text)
    keys = {"default-ulimits.memlock", "default-ulimits.stack", "runtimes.nvidia.path"}
    phrases = describe_differences(docker_daemon, spark, WANT)
    assert [phrase for phrase in phrases if phrase.partition(" ")[0] in keys] == []


def test_a_runtime_at_a_place_of_its_own_is_another_one(spark) -> None:
    """The control."""
    runtimes = {"nvidia": {"path": "/opt/own/nvidia-container-runtime"}}
    spark.system.put(DAEMON, json.dumps({"runtimes": runtimes}))
    phrases = describe_differences(docker_daemon, spark, WANT)
    assert any(phrase.startswith("runtimes.nvidia.path is /opt/own") for phrase in phrases)
