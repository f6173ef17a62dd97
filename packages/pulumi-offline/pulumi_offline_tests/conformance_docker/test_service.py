"""Services are made as described, read back, changed in place, and taken away."""

from __future__ import annotations

import time
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance_docker.node import DockerNode
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import (
    build_service,
    build_spec,
    build_task,
    encode_base64,
    list_changed,
    read_decision,
)

RUN_LIMIT_S = 30


def find_swarm_network(node: DockerNode) -> str:
    """The id under which a Swarm knows the host's network."""
    client = node.docker
    network_document = client._get(client._url("/networks/host"), params={"scope": "swarm"}).json()
    network: str = network_document["Id"]
    return network


def wait_until_running(node: DockerNode, name: str = "engine") -> dict[str, Any]:
    deadline = time.monotonic() + RUN_LIMIT_S
    while time.monotonic() < deadline:
        tasks = node.docker.tasks(filters={"service": name, "desired-state": "running"})
        if [task["Status"]["State"] for task in tasks] == ["running"]:
            running: dict[str, Any] = tasks[0]
            return running
        time.sleep(0.1)
    raise AssertionError(f"no task of {name} runs after {RUN_LIMIT_S} s: {tasks}")


def test_a_service_is_made_as_described(node: DockerNode, plugin: DockerPlugin) -> None:
    secret = plugin.create("Secret", {"name": "token", "data": encode_base64("hush")})
    config = plugin.create(
        "ServiceConfig", {"name": "options", "data": encode_base64("fast: true")}
    )
    network = find_swarm_network(node)
    container = build_spec(
        user="0",
        stopGracePeriod="10s",
        mounts=[{"type": "tmpfs", "target": "/dev/shm", "tmpfsOptions": {"sizeBytes": 1048576}}],
        secrets=[
            {
                "secretId": secret.id,
                "secretName": "token",
                "fileName": "/run/secrets/token",
                "fileMode": 0o400,
            }
        ],
        configs=[{"configId": config.id, "configName": "options", "fileName": "/etc/options"}],
        labels=[{"label": "part", "value": "1"}],
    )
    inputs = build_service(
        taskSpec=build_task(
            containerSpec=container,
            networksAdvanceds=[{"id": network}],
            logDriver={"name": "json-file", "options": {"max-size": "10m"}},
        ),
        mode={"replicated": {"replicas": 1}},
    )
    resource = plugin.create("Service", inputs)
    inspected = node.docker.inspect_service(resource.id)["Spec"]
    template = inspected["TaskTemplate"]
    inside = template["ContainerSpec"]
    assert inspected["Labels"] == {"token": "abc-1"}
    assert (inside["Command"], inside["Args"], inside["Env"]) == (["sleep"], ["1000"], ["A=1"])
    assert (inside["User"], inside["Labels"]) == ("0", {"part": "1"})
    assert inside["StopGracePeriod"] == 10_000_000_000
    assert inside["Mounts"][0]["TmpfsOptions"]["SizeBytes"] == 1048576
    assert inside["Secrets"][0]["File"]["Mode"] == 0o400
    assert inside["Configs"][0]["File"]["Name"] == "/etc/options"
    assert template["Networks"][0]["Target"] == network
    assert template["RestartPolicy"]["Condition"] == "none"
    assert template["LogDriver"] == {"Name": "json-file", "Options": {"max-size": "10m"}}
    assert template["Placement"]["Constraints"] == ["node.role==manager"]
    assert template["Resources"]["Reservations"]["GenericResources"] == [
        {"DiscreteResourceSpec": {"Kind": "NVIDIA-GPU", "Value": 1}}
    ]
    container_id = wait_until_running(node)["Status"]["ContainerStatus"]["ContainerID"]
    execution = node.docker.exec_create(container_id, ["cat", "/run/secrets/token", "/etc/options"])
    assert node.docker.exec_start(execution["Id"]) == b"hushfast: true"
    for inputs_now in (resource, plugin.refresh(resource)):
        assert inputs_now
        assert read_decision(plugin.diff(inputs_now, inputs)) == "same"


def test_a_service_without_a_grace_period_gets_none(node: DockerNode, plugin: DockerPlugin) -> None:
    """Its containers are killed at once: who wants them to end in peace says for how long."""
    resource = plugin.create("Service", build_service())
    inspected = node.docker.inspect_service(resource.id)["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert inspected["StopGracePeriod"] == 0
    assert resource.state["taskSpec"]["containerSpec"]["stopGracePeriod"] == "0s"


def test_the_daemons_own_choices_are_outputs(node: DockerNode, plugin: DockerPlugin) -> None:
    state = plugin.create(
        "Service", {"name": "s", "taskSpec": {"containerSpec": build_spec()}}
    ).state
    assert state["mode"]["replicated"] == {"replicas": 1}
    assert state["taskSpec"]["restartPolicy"]["condition"] == "any"


@pytest.mark.parametrize("left_out", ["window", "delay"])
def test_a_restart_policy_must_say_each_duration(
    node: DockerNode, plugin: DockerPlugin, left_out: str
) -> None:
    """One that is left out comes back as 0s, and is an update for ever."""
    policy = {"condition": "none", "delay": "0s", "window": "0s"}
    del policy[left_out]
    short = build_service(taskSpec=build_task(restartPolicy=policy))
    resource = plugin.create("Service", short)
    assert set(plugin.diff(resource, short).detailedDiff) >= {f"taskSpec.restartPolicy.{left_out}"}
    assert read_decision(plugin.diff(resource, short)) == "update"


def test_durations_must_be_in_dockers_short_form(node: DockerNode, plugin: DockerPlugin) -> None:
    """10m is what comes back for 10m0s and for 600s."""
    for delay, expected in [("10m", "same"), ("10m0s", "update"), ("600s", "update")]:
        policy = {"condition": "none", "delay": delay, "window": "1h"}
        inputs = build_service(name=f"s{delay}", taskSpec=build_task(restartPolicy=policy))
        assert read_decision(plugin.diff(plugin.create("Service", inputs), inputs)) == expected


def test_a_network_by_local_id_is_replaced_after_each_refresh(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    swarm_id = find_swarm_network(node)
    local_id = next(
        network["Id"] for network in node.docker.networks() if network["Name"] == "host"
    )
    after_refresh = {}
    for index, network_id in enumerate([swarm_id, local_id]):
        networks = [{"id": network_id}]
        inputs = build_service(name=f"s{index}", taskSpec=build_task(networksAdvanceds=networks))
        refreshed = plugin.refresh(plugin.create("Service", inputs))
        assert refreshed
        after_refresh[index] = read_decision(plugin.diff(refreshed, inputs))
    assert after_refresh == {0: "same", 1: "replace, delete first"}


def test_an_update_changes_the_service_in_place(node: DockerNode, plugin: DockerPlugin) -> None:
    resource = plugin.create("Service", build_service())
    changed_inputs = build_service(
        labels=[{"label": "token", "value": "abc-2"}],
        taskSpec=build_task(containerSpec=build_spec(args=["2000"], env={"A": "2", "B": "3"})),
    )
    updated = plugin.update(resource, changed_inputs)
    inspected = node.docker.inspect_service(resource.id)["Spec"]
    assert inspected["Labels"] == {"token": "abc-2"}
    assert inspected["TaskTemplate"]["ContainerSpec"]["Args"] == ["2000"]
    assert sorted(inspected["TaskTemplate"]["ContainerSpec"]["Env"]) == ["A=2", "B=3"]
    assert inspected["Mode"] == {"Replicated": {"Replicas": 1}}
    assert read_decision(plugin.diff(updated, changed_inputs)) == "same"


def test_a_name_that_is_taken_fails_the_create(node: DockerNode, plugin: DockerPlugin) -> None:
    plugin.create("Service", build_service())
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Service", build_service())
    output = caught.value.details()
    assert "name conflicts with an existing object: service engine already exists" in output


def test_a_network_that_cannot_be_found_fails_the_create(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    network = {"id": "none-such"}
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Service", build_service(taskSpec=build_task(networksAdvanceds=[network])))
    assert "not found" in caught.value.details()
    assert node.docker.services() == []


def test_a_missing_service_is_gone_from_the_refreshed_state_but_fails_delete_and_update(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    resource = plugin.create("Service", build_service())
    node.docker.remove_service(resource.id)
    assert plugin.refresh(resource) is None
    with pytest.raises(grpc.RpcError) as caught:
        plugin.delete(resource)
    message = f"Error response from daemon: service {resource.id} not found"
    assert f"Error deleting service with ID '{resource.id}': {message}" in caught.value.details()
    with pytest.raises(grpc.RpcError) as caught:
        plugin.update(resource, build_service(labels=[]))
    assert message in caught.value.details()


def test_one_that_was_made_anew_under_its_name_is_taken_for_it(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    resource = plugin.create("Service", build_service())
    node.docker.remove_service(resource.id)
    successor = plugin.create("Service", build_service())
    refreshed = plugin.refresh(resource)
    assert refreshed
    assert refreshed.id == successor.id


def test_delete_waits_for_the_containers_where_there_is_a_grace_period(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    heeding = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
    container = build_spec(commands=["sh", "-c"], args=[heeding], stopGracePeriod="20s")
    resource = plugin.create("Service", build_service(taskSpec=build_task(containerSpec=container)))
    wait_until_running(node)
    plugin.delete(resource)
    assert node.docker.services() == []
    assert node.docker.containers(all=True) == []


def test_a_container_that_outlives_its_grace_period_fails_the_delete_of_its_service(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    """The service is gone all the same, so that the next delete fails as well: a trap."""
    container = build_spec(stopGracePeriod="1s")
    resource = plugin.create("Service", build_service(taskSpec=build_task(containerSpec=container)))
    wait_until_running(node)
    with pytest.raises(grpc.RpcError) as caught:
        plugin.delete(resource)
    assert "error on wait for container with ID" in caught.value.details()
    assert "context deadline exceeded" in caught.value.details()
    assert node.docker.services() == []


def test_drift_of_a_service_is_seen(node: DockerNode, plugin: DockerPlugin) -> None:
    resource = plugin.create("Service", build_service())
    inspected = node.docker.inspect_service(resource.id)
    client = node.docker
    url = client._url(
        "/services/{0}/update?version={1}", resource.id, str(inspected["Version"]["Index"])
    )
    result = client._post_json(url, data={**inspected["Spec"], "Labels": {"token": "forged"}})
    assert result.status_code == 200, result.text
    refreshed = plugin.refresh(resource)
    assert refreshed
    assert refreshed.inputs["labels"][0]["value"] == "forged"
    assert list_changed(plugin.diff(refreshed, build_service())) == {"labels"}
