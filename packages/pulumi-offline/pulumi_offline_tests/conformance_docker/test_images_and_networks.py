"""Images that a node has or pulls, and networks."""

from __future__ import annotations

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance_docker.node import Node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import changed, decision

IMAGE = {"name": "busybox:copy"}
NETWORK = {"name": "n", "driver": "bridge", "labels": [{"label": "a", "value": "b"}]}


@pytest.fixture
def copied(node: Node) -> Node:
    """The node with a second name for its image, which a test may remove."""
    node.docker.tag("busybox:1", "busybox", "copy")
    return node


def test_an_image_that_is_there_is_taken(copied: Node, plugin: DockerPlugin) -> None:
    result = plugin.create("RemoteImage", IMAGE)
    image_id = copied.docker.inspect_image("busybox:copy")["Id"]
    assert result.id == image_id + "busybox:copy"
    assert (result.state["imageId"], result.state["repoDigest"]) == (image_id, "")
    assert decision(plugin.diff(result, IMAGE)) == "same"


def test_an_image_that_cannot_be_pulled_fails_the_create(node: Node, plugin: DockerPlugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("RemoteImage", {"name": "127.0.0.1:1/none:1"})
    message = caught.value.details()
    assert "Unable to read Docker image into resource: unable to pull image" in message
    assert "connection refused" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "busybox:1"}, "replace, create first"),
        ({"platform": "linux/arm64"}, "replace, create first"),
        ({"triggers": {"a": "b"}}, "replace, create first"),
        ({"pullTriggers": ["sha256:0"]}, "replace, create first"),
        ({"keepLocally": True}, "update"),
        ({"forceRemove": True}, "update"),
    ],
    ids=str,
)
def test_changes_of_an_image(
    copied: Node, plugin: DockerPlugin, change: dict[str, object], expected: str
) -> None:
    response = plugin.diff(plugin.create("RemoteImage", IMAGE), {**IMAGE, **change})
    assert (decision(response), changed(response)) == (expected, set(change))


def test_delete_takes_the_name_away_unless_it_is_to_be_kept(
    copied: Node, plugin: DockerPlugin
) -> None:
    remaining = plugin.create("RemoteImage", {**IMAGE, "keepLocally": True})
    plugin.delete(remaining)
    assert len(copied.docker.images("busybox:copy")) == 1
    result = plugin.create("RemoteImage", IMAGE)
    plugin.delete(result)
    assert copied.docker.images("busybox:copy") == []
    assert len(copied.docker.images("busybox:1")) == 1
    plugin.delete(result)
    assert plugin.refreshed(result) is None


def test_an_update_of_an_image_only_writes_it_down(copied: Node, plugin: DockerPlugin) -> None:
    result = plugin.create("RemoteImage", IMAGE)
    updated = plugin.update(result, {**IMAGE, "keepLocally": True})
    assert updated.state["keepLocally"] is True
    assert updated.state["imageId"] == result.state["imageId"]


def test_a_network_is_made_read_and_taken_away(node: Node, plugin: DockerPlugin) -> None:
    result = plugin.create("Network", NETWORK)
    assert (result.state["scope"], result.state["internal"]) == ("local", False)
    assert result.state["ipamConfigs"][0]["subnet"]
    refreshed = plugin.refreshed(result)
    assert refreshed
    assert decision(plugin.diff(refreshed, NETWORK)) == "same"
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Network", NETWORK)
    assert "network with name n already exists" in caught.value.details()
    plugin.delete(result)
    assert plugin.refreshed(result) is None
    plugin.delete(result)


def test_an_overlay_network_belongs_to_the_swarm(node: Node, plugin: DockerPlugin) -> None:
    overlay = {"name": "o", "driver": "overlay", "attachable": True}
    result = plugin.create("Network", overlay)
    assert (result.state["scope"], result.state["attachable"]) == ("swarm", True)
    assert decision(plugin.diff(result, overlay)) == "same"
    plugin.delete(result)


def test_each_change_of_a_network_replaces_it(node: Node, plugin: DockerPlugin) -> None:
    result = plugin.create("Network", NETWORK)
    response = plugin.diff(result, {**NETWORK, "internal": True})
    plugin.delete(result)
    assert (decision(response), changed(response)) == ("replace, delete first", {"internal"})
