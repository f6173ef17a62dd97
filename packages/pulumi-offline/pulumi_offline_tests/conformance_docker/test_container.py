"""Containers are made as described, read back, repaired, and taken away."""

from __future__ import annotations

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance_docker.dockerd import busybox
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


def test_a_container_is_made_as_described(node: Node, plugin: DockerPlugin) -> None:
    made = plugin.create("Container", FULL)
    found = node.docker.inspect_container(made.id)
    config, host = found["Config"], found["HostConfig"]
    assert found["State"]["Running"]
    assert (config["Entrypoint"], config["Cmd"]) == (["sleep"], ["1000"])
    assert sorted(config["Env"]) == ["A=1", "B=2"]
    assert config["Labels"] == {"token": "abc-1"}
    assert config["User"] == "0:0"
    assert host["NetworkMode"] == host["IpcMode"] == "host"
    assert {mount["Target"] for mount in host["Mounts"]} == {"/models", "/shm"}
    assert {one["PathInContainer"] for one in host["Devices"]} == {"/dev/null", "/dev/zero"}
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 1000, "Hard": 2000}]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m"}}
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["Init"] is False


def test_what_was_made_is_in_sync_before_and_after_a_refresh(
    node: Node, plugin: DockerPlugin
) -> None:
    made = plugin.create("Container", FULL)
    assert made.state["id"] == made.id
    assert decision(plugin.diff(made, FULL)) == "same"
    refreshed = plugin.refreshed(made)
    assert refreshed
    assert refreshed.inputs.keys() == made.inputs.keys()
    assert decision(plugin.diff(refreshed, FULL)) == "same"


def test_the_daemons_own_choices_are_outputs(node: Node, plugin: DockerPlugin) -> None:
    state = plugin.create("Container", container()).state
    assert (state["runtime"], state["logDriver"], state["ipcMode"]) == (
        "runc",
        "json-file",
        "private",
    )


def test_a_container_that_stopped_is_drift_and_an_update_starts_it(
    node: Node, plugin: DockerPlugin
) -> None:
    made = plugin.create("Container", container())
    node.docker.stop(made.id, timeout=0)
    stopped = plugin.refreshed(made)
    assert stopped
    assert stopped.state["mustRun"] is False
    assert stopped.inputs["mustRun"] is False
    assert "mustRun" not in stopped.inputs["__defaults"]
    response = plugin.diff(stopped, container())
    assert (decision(response), changed(response)) == ("update", {"mustRun"})
    started = plugin.update(stopped, container())
    assert started.state["mustRun"] is True
    assert node.docker.inspect_container(made.id)["State"]["Running"]


def test_a_container_that_ends_at_once_is_made_and_is_drift(
    node: Node, plugin: DockerPlugin
) -> None:
    short = container(command=["false"])
    made = plugin.create("Container", short)
    node.docker.wait(made.id)
    refreshed = plugin.refreshed(made)
    assert refreshed
    assert refreshed.state["exitCode"] == 1
    assert changed(plugin.diff(refreshed, short)) == {"mustRun"}
    assert decision(plugin.diff(refreshed, container(command=["false"], mustRun=False))) == "same"


def test_one_that_need_not_run_may_stop(node: Node, plugin: DockerPlugin) -> None:
    free = container(mustRun=False)
    made = plugin.create("Container", free)
    node.docker.stop(made.id, timeout=0)
    stopped = plugin.refreshed(made)
    assert stopped
    assert decision(plugin.diff(stopped, free)) == "same"


def test_the_restart_policy_is_changed_in_place(node: Node, plugin: DockerPlugin) -> None:
    made = plugin.create("Container", container())
    changed_one = plugin.update(made, container(restart="unless-stopped"))
    assert changed_one.state["restart"] == "unless-stopped"
    policy = node.docker.inspect_container(made.id)["HostConfig"]["RestartPolicy"]
    assert policy["Name"] == "unless-stopped"


def test_an_update_of_a_mount_reaches_no_container(node: Node, plugin: DockerPlugin) -> None:
    """A change of a mount that keeps their number updates the state and nothing else."""
    mounts = [{"type": "bind", "source": "/tmp", "target": "/m"}]
    made = plugin.create("Container", container(mounts=mounts))
    other = container(mounts=[{**mounts[0], "source": "/var"}])
    assert decision(plugin.diff(made, other)) == "update"
    assert plugin.update(made, other).state["mounts"][0]["source"] == "/var"
    (found,) = node.docker.inspect_container(made.id)["HostConfig"]["Mounts"]
    assert found["Source"] == "/tmp"


def test_a_name_that_is_taken_fails_the_create(node: Node, plugin: DockerPlugin) -> None:
    plugin.create("Container", container())
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", container())
    said = caught.value.details()
    assert "Unable to create container: Error response from daemon: Conflict." in said
    assert '"/engine" is already in use' in said


def test_an_image_that_cannot_be_had_fails_the_create(node: Node, plugin: DockerPlugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", container(image="127.0.0.1:1/none:1"))
    said = caught.value.details()
    assert "Unable to create container with image 127.0.0.1:1/none:1: unable to pull image" in said
    assert node.docker.containers(all=True) == []


def test_an_empty_argument_is_refused_only_by_the_create(node: Node, plugin: DockerPlugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", container(command=[""]))
    assert "values for command may not be empty" in caught.value.details()
    assert node.docker.containers(all=True) == []


def test_a_container_that_does_not_start_stays_on_the_node(
    node: Node, plugin: DockerPlugin
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Container", container(command=["/no-such-program"]))
    assert "Unable to start container: Error response from daemon" in caught.value.details()
    assert [one["Names"] for one in node.docker.containers(all=True)] == [["/engine"]]
    assert any(key == "grpc-status-details-bin" for key, _ in caught.value.trailing_metadata())


def test_delete_takes_a_running_container_and_forgives_a_missing_one(
    node: Node, plugin: DockerPlugin
) -> None:
    made = plugin.create("Container", container())
    plugin.delete(made)
    assert node.docker.containers(all=True) == []
    plugin.delete(made)


def test_delete_takes_nameless_volumes_along_unless_told_otherwise(
    node: Node, plugin: DockerPlugin
) -> None:
    image = "busybox:volume"
    node.docker.import_image_from_data(
        busybox(), repository="busybox", tag="volume", changes=["VOLUME /data"]
    )
    kept = plugin.create("Container", container(image=image, removeVolumes=False))
    plugin.delete(kept)
    assert len(node.docker.volumes()["Volumes"] or []) == 1
    node.docker.prune_volumes()
    plugin.delete(plugin.create("Container", container(image=image)))
    assert (node.docker.volumes()["Volumes"] or []) == []
    node.docker.remove_image(image)


def test_a_missing_container_is_gone_from_the_refreshed_state(
    node: Node, plugin: DockerPlugin
) -> None:
    made = plugin.create("Container", container())
    node.docker.remove_container(made.id, force=True)
    assert plugin.refreshed(made) is None
