"""Services are made as described, read back, changed in place, and taken away."""

from __future__ import annotations

import time
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance_docker.node import Node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import (
    changed,
    decision,
    encoded,
    service,
    spec,
    task,
)

RUN_LIMIT_S = 30


def swarm_host_network(node: Node) -> str:
    """The id under which a Swarm knows the host's network."""
    client = node.docker
    document = client._get(client._url("/networks/host"), params={"scope": "swarm"}).json()
    network: str = document["Id"]
    return network


def wait_until_running(node: Node, name: str = "engine") -> dict[str, Any]:
    deadline = time.monotonic() + RUN_LIMIT_S
    while time.monotonic() < deadline:
        tasks = node.docker.tasks(filters={"service": name, "desired-state": "running"})
        if [entry["Status"]["State"] for entry in tasks] == ["running"]:
            document: dict[str, Any] = tasks[0]
            return document
        time.sleep(0.1)
    raise AssertionError(f"no task of {name} runs after {RUN_LIMIT_S} s: {tasks}")


def test_a_service_is_made_as_described(node: Node, plugin: DockerPlugin) -> None:
    secret = plugin.create("Secret", {"name": "token", "data": encoded("hush")})
    config = plugin.create("ServiceConfig", {"name": "options", "data": encoded("fast: true")})
    network = swarm_host_network(node)
    container = spec(
        dir="/tmp",
        user="0",
        stopGracePeriod="10s",
        mounts=[{"type": "tmpfs", "target": "/dev/shm", "tmpfsOptions": {"sizeBytes": 1048576}}],
        hosts=[{"host": "spark-2", "ip": "192.0.2.2"}],
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
    inputs = service(
        taskSpec=task(
            containerSpec=container,
            networksAdvanceds=[{"id": network}],
            logDriver={"name": "json-file", "options": {"max-size": "10m"}},
        ),
        mode={"replicated": {"replicas": 1}},
    )
    result = plugin.create("Service", inputs)
    document = node.docker.inspect_service(result.id)["Spec"]
    template = document["TaskTemplate"]
    inside = template["ContainerSpec"]
    assert document["Labels"] == {"token": "abc-1"}
    assert (inside["Command"], inside["Args"], inside["Env"]) == (["sleep"], ["1000"], ["A=1"])
    assert (inside["Dir"], inside["User"], inside["Labels"]) == ("/tmp", "0", {"part": "1"})
    assert inside["StopGracePeriod"] == 10_000_000_000
    assert inside["Hosts"] == ["192.0.2.2 spark-2"]
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
    reported = node.docker.exec_create(container_id, ["cat", "/run/secrets/token", "/etc/options"])
    assert node.docker.exec_start(reported["Id"]) == b"hushfast: true"
    for inputs_now in (result, plugin.refreshed(result)):
        assert inputs_now
        assert decision(plugin.diff(inputs_now, inputs)) == "same"


def test_a_service_without_a_grace_period_gets_none(node: Node, plugin: DockerPlugin) -> None:
    """Its containers are killed at once: who wants them to end in peace says for how long."""
    result = plugin.create("Service", service())
    document = node.docker.inspect_service(result.id)["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert document["StopGracePeriod"] == 0
    assert result.state["taskSpec"]["containerSpec"]["stopGracePeriod"] == "0s"


def test_the_daemons_own_choices_are_outputs(node: Node, plugin: DockerPlugin) -> None:
    state = plugin.create("Service", {"name": "s", "taskSpec": {"containerSpec": spec()}}).state
    assert state["mode"] == {"global": False, "replicated": {"replicas": 1}}
    assert state["endpointSpec"] == {"mode": "vip", "ports": []}
    assert state["taskSpec"]["runtime"] == "container"
    assert state["taskSpec"]["restartPolicy"]["condition"] == "any"


@pytest.mark.parametrize("left_out", ["window", "delay"])
def test_a_restart_policy_must_say_each_duration(
    node: Node, plugin: DockerPlugin, left_out: str
) -> None:
    """One that is left out comes back as 0s, and is an update for ever."""
    policy = {"condition": "none", "delay": "0s", "window": "0s"}
    del policy[left_out]
    short = service(taskSpec=task(restartPolicy=policy))
    result = plugin.create("Service", short)
    assert set(plugin.diff(result, short).detailedDiff) >= {f"taskSpec.restartPolicy.{left_out}"}
    assert decision(plugin.diff(result, short)) == "update"


def test_durations_must_be_in_dockers_short_form(node: Node, plugin: DockerPlugin) -> None:
    """10m is what comes back for 10m0s and for 600s."""
    for inputs_value, expected in [("10m", "same"), ("10m0s", "update"), ("600s", "update")]:
        health = {"tests": ["CMD", "true"], "startPeriod": inputs_value, "interval": "1h"}
        inputs = service(
            name=f"s{inputs_value}", taskSpec=task(containerSpec=spec(healthcheck=health))
        )
        assert decision(plugin.diff(plugin.create("Service", inputs), inputs)) == expected


def test_a_network_by_name_or_local_id_is_replaced_after_each_refresh(
    node: Node, plugin: DockerPlugin
) -> None:
    swarm_id = swarm_host_network(node)
    local_id = next(entry["Id"] for entry in node.docker.networks() if entry["Name"] == "host")
    after_refresh = {}
    for index, inputs_value in enumerate([{"id": swarm_id}, {"name": "host"}, {"id": local_id}]):
        inputs = service(name=f"s{index}", taskSpec=task(networksAdvanceds=[inputs_value]))
        refreshed = plugin.refreshed(plugin.create("Service", inputs))
        assert refreshed
        after_refresh[index] = decision(plugin.diff(refreshed, inputs))
    assert after_refresh == {0: "same", 1: "replace, delete first", 2: "replace, delete first"}


def test_an_update_changes_the_service_in_place(node: Node, plugin: DockerPlugin) -> None:
    result = plugin.create("Service", service())
    peer = service(
        labels=[{"label": "token", "value": "abc-2"}],
        taskSpec=task(containerSpec=spec(args=["2000"], env={"A": "2", "B": "3"})),
    )
    updated = plugin.update(result, peer)
    document = node.docker.inspect_service(result.id)["Spec"]
    assert document["Labels"] == {"token": "abc-2"}
    assert document["TaskTemplate"]["ContainerSpec"]["Args"] == ["2000"]
    assert sorted(document["TaskTemplate"]["ContainerSpec"]["Env"]) == ["A=2", "B=3"]
    assert document["Mode"] == {"Replicated": {"Replicas": 1}}
    assert decision(plugin.diff(updated, peer)) == "same"


def test_a_name_that_is_taken_fails_the_create(node: Node, plugin: DockerPlugin) -> None:
    plugin.create("Service", service())
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Service", service())
    message = caught.value.details()
    assert "name conflicts with an existing object: service engine already exists" in message


@pytest.mark.parametrize(
    ("network", "message"),
    [({"name": "none-such"}, "not found"), ({"aliases": ["x"]}, "'name' or 'id' must be")],
)
def test_a_network_that_cannot_be_found_fails_the_create(
    node: Node, plugin: DockerPlugin, network: dict[str, Any], message: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Service", service(taskSpec=task(networksAdvanceds=[network])))
    assert message in caught.value.details()
    assert node.docker.services() == []


def test_a_missing_service_is_gone_from_the_refreshed_state_but_fails_delete_and_update(
    node: Node, plugin: DockerPlugin
) -> None:
    result = plugin.create("Service", service())
    node.docker.remove_service(result.id)
    assert plugin.refreshed(result) is None
    with pytest.raises(grpc.RpcError) as caught:
        plugin.delete(result)
    removed = f"Error response from daemon: service {result.id} not found"
    assert f"Error deleting service with ID '{result.id}': {removed}" in caught.value.details()
    with pytest.raises(grpc.RpcError) as caught:
        plugin.update(result, service(labels=[]))
    assert removed in caught.value.details()


def test_one_that_was_made_anew_under_its_name_is_taken_for_it(
    node: Node, plugin: DockerPlugin
) -> None:
    result = plugin.create("Service", service())
    node.docker.remove_service(result.id)
    peer = plugin.create("Service", service())
    refreshed = plugin.refreshed(result)
    assert refreshed
    assert refreshed.id == peer.id


def test_delete_waits_for_the_containers_where_there_is_a_grace_period(
    node: Node, plugin: DockerPlugin
) -> None:
    heeding = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
    container = spec(commands=["sh", "-c"], args=[heeding], stopGracePeriod="20s")
    result = plugin.create("Service", service(taskSpec=task(containerSpec=container)))
    wait_until_running(node)
    plugin.delete(result)
    assert node.docker.services() == []
    assert node.docker.containers(all=True) == []


def test_a_container_that_outlives_its_grace_period_fails_the_delete_of_its_service(
    node: Node, plugin: DockerPlugin
) -> None:
    """The service is gone all the same, so that the next delete fails as well: a trap."""
    container = spec(stopGracePeriod="1s")
    result = plugin.create("Service", service(taskSpec=task(containerSpec=container)))
    wait_until_running(node)
    with pytest.raises(grpc.RpcError) as caught:
        plugin.delete(result)
    assert "error on wait for container with ID" in caught.value.details()
    assert "context deadline exceeded" in caught.value.details()
    assert node.docker.services() == []


def test_drift_of_a_service_is_seen(node: Node, plugin: DockerPlugin) -> None:
    result = plugin.create("Service", service())
    document = node.docker.inspect_service(result.id)
    client = node.docker
    url = client._url(
        "/services/{0}/update?version={1}", result.id, str(document["Version"]["Index"])
    )
    completed = client._post_json(url, data={**document["Spec"], "Labels": {"token": "forged"}})
    assert completed.status_code == 200, completed.text
    refreshed = plugin.refreshed(result)
    assert refreshed
    assert refreshed.inputs["labels"][0]["value"] == "forged"
    assert changed(plugin.diff(refreshed, service())) == {"labels"}
