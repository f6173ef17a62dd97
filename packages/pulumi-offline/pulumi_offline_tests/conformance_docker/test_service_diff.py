"""Which change of a service is an update, which a replacement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_offline_tests.conformance.values import UNKNOWN
from pulumi_offline_tests.conformance_docker.node import Node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin, Made
from pulumi_offline_tests.conformance_docker.specs import changed, decision, service, spec, task
from pulumi_offline_tests.conformance_docker.test_service import swarm_host_network


def network(node: Node) -> dict[str, Any]:
    return {"networksAdvanceds": [{"id": swarm_host_network(node)}]}


@pytest.fixture(scope="module")
def made(shared_node: Node, plugin: DockerPlugin) -> Iterator[Made]:
    inputs = service(name="compared", taskSpec=task(**network(shared_node)))
    entry = plugin.create("Service", inputs)
    yield entry
    plugin.delete(entry)


LABEL = {"label": "token", "value": "abc-1"}
MOUNT = {"type": "bind", "source": "/tmp", "target": "/models", "readOnly": True}


@pytest.mark.parametrize(
    ("change", "top"),
    [
        ({"labels": [{"label": "token", "value": "abc-2"}]}, "labels"),
        ({"labels": [{"label": "token", "value": UNKNOWN}]}, "labels"),
        ({"labels": [LABEL, {"label": "more", "value": "1"}]}, "labels"),
        ({"containerSpec": spec(image="busybox:2")}, "taskSpec"),
        ({"containerSpec": spec(image=UNKNOWN)}, "taskSpec"),
        ({"containerSpec": spec(commands=["sh"])}, "taskSpec"),
        ({"containerSpec": spec(commands=None)}, "taskSpec"),
        ({"containerSpec": spec(args=["1000", "2"])}, "taskSpec"),
        ({"containerSpec": spec(env={"A": "2"})}, "taskSpec"),
        ({"containerSpec": spec(env={"A": "1", "B": "2"})}, "taskSpec"),
        ({"containerSpec": spec(mounts=[{**MOUNT, "source": "/var"}])}, "taskSpec"),
        ({"containerSpec": spec(mounts=None)}, "taskSpec"),
        ({"restartPolicy": {"condition": "any", "delay": "0s", "window": "0s"}}, "taskSpec"),
        ({"placement": {"constraints": ["node.role==worker"]}}, "taskSpec"),
        (
            {
                "resources": {
                    "reservation": {
                        "genericResources": {"discreteResourcesSpecs": ["NVIDIA-GPU=2"]}
                    }
                }
            },
            "taskSpec",
        ),
        ({"mode": {"replicated": {"replicas": 2}}}, "mode"),
        ({"endpointSpec": {"mode": "dnsrr"}}, "endpointSpec"),
        (
            {"endpointSpec": {"ports": [{"targetPort": 80, "publishMode": "host"}]}},
            "endpointSpec",
        ),
    ],
    ids=str,
)
def test_these_are_updates(
    shared_node: Node, plugin: DockerPlugin, made: Made, change: dict[str, Any], top: str
) -> None:
    response = plugin.diff(made, with_change(shared_node, change))
    assert (decision(response), changed(response)) == ("update", {top})


def with_change(node: Node, change: dict[str, Any]) -> dict[str, Any]:
    """The compared inputs with a change of the service, or of its task."""
    of_service = {"name", "labels", "mode", "endpointSpec"}
    outer = {key: item for key, item in change.items() if key in of_service}
    inner = {key: item for key, item in change.items() if key not in of_service}
    return service(**{"name": "compared", "taskSpec": task(**{**network(node), **inner}), **outer})


@pytest.mark.parametrize(
    ("change", "top"),
    [
        ({"name": "other"}, "name"),
        ({"networksAdvanceds": None}, "taskSpec"),
        ({"networksAdvanceds": [{"name": "host"}]}, "taskSpec"),
        ({"networksAdvanceds": [{"id": UNKNOWN}]}, "taskSpec"),
        ({"containerSpec": spec(hosts=[{"host": "h", "ip": "192.0.2.1"}])}, "taskSpec"),
        ({"containerSpec": spec(labels=[{"label": "a", "value": "b"}])}, "taskSpec"),
    ],
    ids=str,
)
def test_these_make_a_new_service(
    shared_node: Node, plugin: DockerPlugin, made: Made, change: dict[str, Any], top: str
) -> None:
    response = plugin.diff(made, with_change(shared_node, change))
    assert decision(response) == "replace, delete first"
    assert top in changed(response)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": None},
        {"labels": None},
        {"restartPolicy": None},
        {"placement": None},
        {"resources": None},
        {"mode": {"replicated": {"replicas": 1}}},
        {"endpointSpec": {"mode": "vip"}},
        {"containerSpec": spec(stopGracePeriod="0s")},
    ],
    ids=str,
)
def test_these_are_no_difference(
    shared_node: Node, plugin: DockerPlugin, made: Made, change: dict[str, Any]
) -> None:
    assert decision(plugin.diff(made, with_change(shared_node, change))) == "same"


def test_one_with_a_made_up_name_can_be_made_before_the_old_one_goes(
    shared_node: Node, plugin: DockerPlugin
) -> None:
    unnamed = plugin.create("Service", service(name=None))
    new = service(name=None, taskSpec=task(**network(shared_node)))
    response = plugin.diff(unnamed, new)
    plugin.delete(unnamed)
    assert decision(response) == "replace, create first"
