"""Which change of a service is an update, which a replacement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_offline_tests.conformance.values import UNKNOWN
from pulumi_offline_tests.conformance_docker.node import DockerNode
from pulumi_offline_tests.conformance_docker.plugin import CreatedResource, DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import (
    build_service,
    build_spec,
    build_task,
    list_changed,
    read_decision,
)
from pulumi_offline_tests.conformance_docker.test_service import find_swarm_network


def get_network(node: DockerNode) -> dict[str, Any]:
    return {"networksAdvanceds": [{"id": find_swarm_network(node)}]}


@pytest.fixture(scope="module")
def resource(shared_node: DockerNode, plugin: DockerPlugin) -> Iterator[CreatedResource]:
    inputs = build_service(name="compared", taskSpec=build_task(**get_network(shared_node)))
    resource = plugin.create("Service", inputs)
    yield resource
    plugin.delete(resource)


LABEL = {"label": "token", "value": "abc-1"}
MOUNT = {"type": "bind", "source": "/tmp", "target": "/models", "readOnly": True}


@pytest.mark.parametrize(
    ("change", "top"),
    [
        ({"labels": [{"label": "token", "value": "abc-2"}]}, "labels"),
        ({"labels": [{"label": "token", "value": UNKNOWN}]}, "labels"),
        ({"labels": [LABEL, {"label": "more", "value": "1"}]}, "labels"),
        ({"containerSpec": build_spec(image="busybox:2")}, "taskSpec"),
        ({"containerSpec": build_spec(image=UNKNOWN)}, "taskSpec"),
        ({"containerSpec": build_spec(commands=["sh"])}, "taskSpec"),
        ({"containerSpec": build_spec(commands=None)}, "taskSpec"),
        ({"containerSpec": build_spec(args=["1000", "2"])}, "taskSpec"),
        ({"containerSpec": build_spec(env={"A": "2"})}, "taskSpec"),
        ({"containerSpec": build_spec(env={"A": "1", "B": "2"})}, "taskSpec"),
        ({"containerSpec": build_spec(mounts=[{**MOUNT, "source": "/var"}])}, "taskSpec"),
        ({"containerSpec": build_spec(mounts=None)}, "taskSpec"),
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
    ],
    ids=str,
)
def test_these_are_updates(
    shared_node: DockerNode,
    plugin: DockerPlugin,
    resource: CreatedResource,
    change: dict[str, Any],
    top: str,
) -> None:
    response = plugin.diff(resource, build_changed(shared_node, change))
    assert (read_decision(response), list_changed(response)) == ("update", {top})


def build_changed(node: DockerNode, change: dict[str, Any]) -> dict[str, Any]:
    """The compared inputs with a change of the service, or of its task."""
    of_service = {"name", "labels", "mode"}
    outer = {key: item for key, item in change.items() if key in of_service}
    inner = {key: item for key, item in change.items() if key not in of_service}
    return build_service(
        **{"name": "compared", "taskSpec": build_task(**{**get_network(node), **inner}), **outer}
    )


@pytest.mark.parametrize(
    ("change", "top"),
    [
        ({"name": "other"}, "name"),
        ({"networksAdvanceds": None}, "taskSpec"),
        ({"networksAdvanceds": [{"id": "other"}]}, "taskSpec"),
        ({"networksAdvanceds": [{"id": UNKNOWN}]}, "taskSpec"),
        ({"containerSpec": build_spec(labels=[{"label": "a", "value": "b"}])}, "taskSpec"),
    ],
    ids=str,
)
def test_these_make_a_new_service(
    shared_node: DockerNode,
    plugin: DockerPlugin,
    resource: CreatedResource,
    change: dict[str, Any],
    top: str,
) -> None:
    response = plugin.diff(resource, build_changed(shared_node, change))
    assert read_decision(response) == "replace, delete first"
    assert top in list_changed(response)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"labels": None},
        {"restartPolicy": None},
        {"placement": None},
        {"resources": None},
        {"mode": {"replicated": {"replicas": 1}}},
        {"containerSpec": build_spec(stopGracePeriod="0s")},
    ],
    ids=str,
)
def test_these_are_no_difference(
    shared_node: DockerNode, plugin: DockerPlugin, resource: CreatedResource, change: dict[str, Any]
) -> None:
    assert read_decision(plugin.diff(resource, build_changed(shared_node, change))) == "same"
