"""Containers are made as described, read back, repaired, and taken away."""

from __future__ import annotations

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance_docker.dockerd import build_busybox
from pulumi_offline_tests.conformance_docker.node import DockerNode
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import (
    build_container,
    list_changed,
    read_decision,
)

FULL = build_container(
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
    devices=[
        {"hostPath": "/dev/null", "permissions": "rw"},
        {"hostPath": "/dev/zero"},
    ],
    ulimits=[{"name": "nofile", "soft": 1000, "hard": 2000}],
    logDriver="json-file",
    logOpts={"max-size": "10m"},
    user="0:0",
    destroyGraceSeconds=1,
)


def test_a_container_is_made_as_described(node: DockerNode, plugin: DockerPlugin) -> None:
    resource = plugin.create("Container", FULL)
    inspected = node.docker.inspect_container(resource.id)
    config, host = inspected["Config"], inspected["HostConfig"]
    assert inspected["State"]["Running"]
    assert (config["Entrypoint"], config["Cmd"]) == (["sleep"], ["1000"])
    assert sorted(config["Env"]) == ["A=1", "B=2"]
    assert config["Labels"] == {"token": "abc-1"}
    assert config["User"] == "0:0"
    assert host["NetworkMode"] == host["IpcMode"] == "host"
    assert {mount["Target"] for mount in host["Mounts"]} == {"/models", "/shm"}
    assert {device["PathInContainer"] for device in host["Devices"]} == {"/dev/null", "/dev/zero"}
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 1000, "Hard": 2000}]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m"}}
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["Init"] is False


def test_what_was_made_is_in_sync_before_and_after_a_refresh(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    resource = plugin.create("Container", FULL)
    assert resource.state["id"] == resource.id
    assert read_decision(plugin.diff(resource, FULL)) == "same"
    refreshed = plugin.refresh(resource)
    assert refreshed
    assert refreshed.inputs.keys() == resource.inputs.keys()
    assert read_decision(plugin.diff(refreshed, FULL)) == "same"


def test_the_daemons_own_choices_are_outputs(node: DockerNode, plugin: DockerPlugin) -> None:
    state = plugin.create("Container", build_container()).state
    assert (state["runtime"], state["logDriver"], state["ipcMode"]) == (
        "runc",
        "json-file",
        "private",
    )


def test_a_container_that_stopped_is_drift_and_an_update_starts_it(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    resource = plugin.create("Container", build_container())
    node.docker.stop(resource.id, timeout=0)
    stopped = plugin.refresh(resource)
    assert stopped
    assert stopped.state["mustRun"] is False
    assert stopped.inputs["mustRun"] is False
    assert "mustRun" not in stopped.inputs["__defaults"]
    response = plugin.diff(stopped, build_container())
    assert (read_decision(response), list_changed(response)) == ("update", {"mustRun"})
    started = plugin.update(stopped, build_container())
    assert started.state["mustRun"] is True
    assert node.docker.inspect_container(resource.id)["State"]["Running"]


def test_a_container_that_ends_at_once_is_made_and_is_drift(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    short = build_container(command=["false"])
    resource = plugin.create("Container", short)
    node.docker.wait(resource.id)
    refreshed = plugin.refresh(resource)
    assert refreshed
    assert refreshed.state["exitCode"] == 1
    assert list_changed(plugin.diff(refreshed, short)) == {"mustRun"}
    assert (
        read_decision(plugin.diff(refreshed, build_container(command=["false"], mustRun=False)))
        == "same"
    )


def test_one_that_need_not_run_may_stop(node: DockerNode, plugin: DockerPlugin) -> None:
    free = build_container(mustRun=False)
    resource = plugin.create("Container", free)
    node.docker.stop(resource.id, timeout=0)
    stopped = plugin.refresh(resource)
    assert stopped
    assert read_decision(plugin.diff(stopped, free)) == "same"


def test_the_restart_policy_is_changed_in_place(node: DockerNode, plugin: DockerPlugin) -> None:
    resource = plugin.create("Container", build_container())
    updated = plugin.update(resource, build_container(restart="unless-stopped"))
    assert updated.state["restart"] == "unless-stopped"
    policy = node.docker.inspect_container(resource.id)["HostConfig"]["RestartPolicy"]
    assert policy["Name"] == "unless-stopped"


def test_an_update_of_a_mount_reaches_no_container(node: DockerNode, plugin: DockerPlugin) -> None:
    """A change of a mount that keeps their number updates the state and nothing else."""
    mounts = [{"type": "bind", "source": "/tmp", "target": "/m"}]
    resource = plugin.create("Container", build_container(mounts=mounts))
    changed_inputs = build_container(mounts=[{**mounts[0], "source": "/var"}])
    assert read_decision(plugin.diff(resource, changed_inputs)) == "update"
    assert plugin.update(resource, changed_inputs).state["mounts"][0]["source"] == "/var"
    (mount,) = node.docker.inspect_container(resource.id)["HostConfig"]["Mounts"]
    assert mount["Source"] == "/tmp"


def test_a_name_that_is_taken_fails_the_create(node: DockerNode, plugin: DockerPlugin) -> None:
    plugin.create("Container", build_container())
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", build_container())
    output = caught.value.details()
    assert "Unable to create container: Error response from daemon: Conflict." in output
    assert '"/engine" is already in use' in output


def test_an_image_that_cannot_be_had_fails_the_create(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", build_container(image="127.0.0.1:1/none:1"))
    output = caught.value.details()
    assert (
        "Unable to create container with image 127.0.0.1:1/none:1: unable to pull image" in output
    )
    assert node.docker.containers(all=True) == []


def test_an_empty_argument_is_refused_only_by_the_create(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", build_container(command=[""]))
    assert "values for command may not be empty" in caught.value.details()
    assert node.docker.containers(all=True) == []


def test_a_container_that_does_not_start_stays_on_the_node(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", build_container(command=["/no-such-program"]))
    assert "Unable to start container: Error response from daemon" in caught.value.details()
    assert [container["Names"] for container in node.docker.containers(all=True)] == [["/engine"]]
    assert any(key == "grpc-status-details-bin" for key, _ in caught.value.trailing_metadata())


def test_delete_takes_a_running_container_and_forgives_a_missing_one(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    resource = plugin.create("Container", build_container())
    plugin.delete(resource)
    assert node.docker.containers(all=True) == []
    plugin.delete(resource)


def test_delete_takes_nameless_volumes_along_unless_told_otherwise(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    image = "busybox:volume"
    node.docker.import_image_from_data(
        build_busybox(), repository="busybox", tag="volume", changes=["VOLUME /data"]
    )
    resource = plugin.create("Container", build_container(image=image, removeVolumes=False))
    plugin.delete(resource)
    assert len(node.docker.volumes()["Volumes"] or []) == 1
    node.docker.prune_volumes()
    plugin.delete(plugin.create("Container", build_container(image=image)))
    assert (node.docker.volumes()["Volumes"] or []) == []
    node.docker.remove_image(image)


def test_a_missing_container_is_gone_from_the_refreshed_state(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    resource = plugin.create("Container", build_container())
    node.docker.remove_container(resource.id, force=True)
    assert plugin.refresh(resource) is None
