"""Containers are made as described, read back, repaired, and taken away."""

from __future__ import annotations

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance_docker.node import Node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import changed, container, decision

FULL = container(
    command=["1000"],
    entrypoints=["sleep"],
    envs=["B=2", "A=1"],
    ipcMode="host",
    runtime="runc",
    labels=[{"label": "token", "value": "abc-1"}],
    mounts=[
        {"type": "bind", "source": "/tmp", "target": "/models", "readOnly": True},
        {"type": "tmpfs", "target": "/shm", "tmpfsOptions": {"sizeBytes": 1048576}},
    ],
    volumes=[{"hostPath": "/tmp", "containerPath": "/v"}, {"containerPath": "/nameless"}],
    devices=[
        {"hostPath": "/dev/null", "containerPath": "/dev/nil", "permissions": "rw"},
        {"hostPath": "/dev/zero"},
    ],
    ulimits=[{"name": "nofile", "soft": 1000, "hard": 2000}],
    hosts=[{"host": "spark-2", "ip": "192.0.2.2"}],
    healthcheck={"tests": ["CMD", "true"], "interval": "1m0s", "timeout": "10s", "retries": 3},
    logDriver="json-file",
    logOpts={"max-size": "10m"},
    user="0:0",
    workingDir="/bin",
    stopTimeout=5,
    destroyGraceSeconds=1,
    shmSize=128,
)


def test_a_container_is_made_as_described(node: Node, plugin: DockerPlugin) -> None:
    result = plugin.create("Container", FULL)
    document = node.docker.inspect_container(result.id)
    config, host = document["Config"], document["HostConfig"]
    assert document["State"]["Running"]
    assert (config["Entrypoint"], config["Cmd"]) == (["sleep"], ["1000"])
    assert sorted(config["Env"]) == ["A=1", "B=2"]
    assert config["Labels"] == {"token": "abc-1"}
    assert (config["User"], config["WorkingDir"], config["StopTimeout"]) == ("0:0", "/bin", 5)
    assert config["Healthcheck"]["Interval"] == 60_000_000_000
    assert host["NetworkMode"] == host["IpcMode"] == "host"
    assert host["Binds"] == ["/tmp:/v:rw"]
    assert {mount["Target"] for mount in host["Mounts"]} == {"/models", "/shm"}
    assert {entry["PathInContainer"] for entry in host["Devices"]} == {"/dev/nil", "/dev/zero"}
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 1000, "Hard": 2000}]
    assert host["ExtraHosts"] == ["spark-2:192.0.2.2"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m"}}
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["ShmSize"] == 128 * 1024 * 1024
    assert host["Init"] is False
    assert set(config["Volumes"]) == {"/v", "/nameless"}


def test_what_was_made_is_in_sync_before_and_after_a_refresh(
    node: Node, plugin: DockerPlugin
) -> None:
    result = plugin.create("Container", FULL)
    assert result.state["id"] == result.id
    assert decision(plugin.diff(result, FULL)) == "same"
    refreshed = plugin.refreshed(result)
    assert refreshed
    assert refreshed.inputs.keys() == result.inputs.keys()
    assert decision(plugin.diff(refreshed, FULL)) == "same"


def test_the_daemons_own_choices_are_outputs(node: Node, plugin: DockerPlugin) -> None:
    state = plugin.create("Container", container()).state
    assert (state["runtime"], state["logDriver"], state["ipcMode"]) == (
        "runc",
        "json-file",
        "private",
    )
    assert (state["shmSize"], state["platform"], state["init"]) == (64, "linux", False)
    assert [item["networkName"] for item in state["networkDatas"]] == ["host"]


def test_durations_of_a_health_check_must_be_in_gos_long_form(
    node: Node, plugin: DockerPlugin
) -> None:
    """1m comes back as 1m0s, and is an update for ever, which reaches no container."""
    short = container(healthcheck={"tests": ["CMD", "true"], "interval": "1m"})
    result = plugin.create("Container", short)
    assert result.state["healthcheck"]["interval"] == "1m0s"
    assert decision(plugin.diff(result, short)) == "update"


def test_a_container_that_stopped_is_drift_and_an_update_starts_it(
    node: Node, plugin: DockerPlugin
) -> None:
    result = plugin.create("Container", container())
    node.docker.stop(result.id, timeout=0)
    stopped = plugin.refreshed(result)
    assert stopped
    assert stopped.state["mustRun"] is False
    assert stopped.inputs["mustRun"] is False
    assert "mustRun" not in stopped.inputs["__defaults"]
    response = plugin.diff(stopped, container())
    assert (decision(response), changed(response)) == ("update", {"mustRun"})
    started = plugin.update(stopped, container())
    assert started.state["mustRun"] is True
    assert node.docker.inspect_container(result.id)["State"]["Running"]


def test_a_container_that_ends_at_once_is_made_and_is_drift(
    node: Node, plugin: DockerPlugin
) -> None:
    short = container(command=["false"])
    result = plugin.create("Container", short)
    node.docker.wait(result.id)
    refreshed = plugin.refreshed(result)
    assert refreshed
    assert refreshed.state["exitCode"] == 1
    assert changed(plugin.diff(refreshed, short)) == {"mustRun"}
    assert decision(plugin.diff(refreshed, container(command=["false"], mustRun=False))) == "same"


def test_one_that_need_not_run_may_stop(node: Node, plugin: DockerPlugin) -> None:
    free = container(mustRun=False)
    result = plugin.create("Container", free)
    node.docker.stop(result.id, timeout=0)
    stopped = plugin.refreshed(result)
    assert stopped
    assert decision(plugin.diff(stopped, free)) == "same"


def test_the_restart_policy_is_changed_in_place(node: Node, plugin: DockerPlugin) -> None:
    result = plugin.create("Container", container())
    changed_one = plugin.update(result, container(restart="unless-stopped"))
    assert changed_one.state["restart"] == "unless-stopped"
    policy = node.docker.inspect_container(result.id)["HostConfig"]["RestartPolicy"]
    assert policy["Name"] == "unless-stopped"


def test_an_update_of_a_mount_reaches_no_container(node: Node, plugin: DockerPlugin) -> None:
    """A change of a mount that keeps their number updates the state and nothing else."""
    mounts = [{"type": "bind", "source": "/tmp", "target": "/m"}]
    result = plugin.create("Container", container(mounts=mounts))
    peer = container(mounts=[{**mounts[0], "source": "/var"}])
    assert decision(plugin.diff(result, peer)) == "update"
    assert plugin.update(result, peer).state["mounts"][0]["source"] == "/var"
    (document,) = node.docker.inspect_container(result.id)["HostConfig"]["Mounts"]
    assert document["Source"] == "/tmp"


def test_a_name_that_is_taken_fails_the_create(node: Node, plugin: DockerPlugin) -> None:
    plugin.create("Container", container())
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", container())
    message = caught.value.details()
    assert "Unable to create container: Error response from daemon: Conflict." in message
    assert '"/engine" is already in use' in message


def test_an_image_that_cannot_be_had_fails_the_create(node: Node, plugin: DockerPlugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", container(image="127.0.0.1:1/none:1"))
    message = caught.value.details()
    assert (
        "Unable to create container with image 127.0.0.1:1/none:1: unable to pull image" in message
    )
    assert node.docker.containers(all=True) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"command": [""]}, "values for command may not be empty"),
        ({"volumes": [{}]}, "volume entry without container path or source container"),
        (
            {"volumes": [{"fromContainer": "x", "containerPath": "/x"}]},
            "both a container and a path specified in a volume entry",
        ),
    ],
)
def test_some_inputs_are_refused_only_by_the_create(
    node: Node, plugin: DockerPlugin, change: dict[str, object], message: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", container(**change))
    assert message in caught.value.details()
    assert node.docker.containers(all=True) == []


def test_a_container_that_does_not_start_stays_on_the_node(
    node: Node, plugin: DockerPlugin
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", container(command=["/no-such-program"]))
    assert "Unable to start container: Error response from daemon" in caught.value.details()
    assert [entry["Names"] for entry in node.docker.containers(all=True)] == [["/engine"]]
    assert any(key == "grpc-status-details-bin" for key, _ in caught.value.trailing_metadata())


def test_delete_takes_a_running_container_and_forgives_a_missing_one(
    node: Node, plugin: DockerPlugin
) -> None:
    result = plugin.create("Container", container())
    plugin.delete(result)
    assert node.docker.containers(all=True) == []
    plugin.delete(result)


def test_delete_waits_for_one_that_removes_itself(node: Node, plugin: DockerPlugin) -> None:
    result = plugin.create("Container", container(rm=True))
    plugin.delete(result)
    assert node.docker.containers(all=True) == []


def test_delete_takes_nameless_volumes_along_unless_told_otherwise(
    node: Node, plugin: DockerPlugin
) -> None:
    volumes = [{"containerPath": "/data"}]
    remaining = plugin.create("Container", container(volumes=volumes, removeVolumes=False))
    plugin.delete(remaining)
    assert len(node.docker.volumes()["Volumes"] or []) == 1
    node.docker.prune_volumes()
    plugin.delete(plugin.create("Container", container(volumes=volumes)))
    assert (node.docker.volumes()["Volumes"] or []) == []


def test_a_missing_container_is_gone_from_the_refreshed_state(
    node: Node, plugin: DockerPlugin
) -> None:
    result = plugin.create("Container", container())
    node.docker.remove_container(result.id, force=True)
    assert plugin.refreshed(result) is None
