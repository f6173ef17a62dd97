"""Secrets and configs: each change replaces, and only a missing one that is deleted is an error."""

from __future__ import annotations

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.values import is_secret, reveal
from pulumi_offline_tests.conformance_docker.node import DockerNode
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import encode_base64, list_changed, read_decision

KINDS = ["Secret", "ServiceConfig"]
INPUTS = {"name": "x", "data": encode_base64("hush"), "labels": [{"label": "a", "value": "b"}]}


@pytest.mark.parametrize("kind", KINDS)
def test_one_is_made_read_and_taken_away(node: DockerNode, plugin: DockerPlugin, kind: str) -> None:
    resource = plugin.create(kind, INPUTS)
    assert reveal(resource.state["data"]) == encode_base64("hush")
    assert is_secret(resource.state["data"]) == (kind == "Secret")
    refreshed = plugin.refresh(resource)
    assert refreshed
    assert refreshed.state["name"] == "x"
    assert read_decision(plugin.diff(refreshed, INPUTS)) == "same"
    plugin.delete(resource)
    assert plugin.refresh(resource) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        {"name": "y"},
        {"data": encode_base64("other")},
        {"labels": [{"label": "a", "value": "c"}]},
        {"labels": []},
    ],
    ids=str,
)
def test_each_change_replaces(
    node: DockerNode, plugin: DockerPlugin, kind: str, change: dict[str, object]
) -> None:
    response = plugin.diff(plugin.create(kind, INPUTS), {**INPUTS, **change})
    assert (read_decision(response), list_changed(response)) == (
        "replace, delete first",
        set(change),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_is_taken_fails_the_create(
    node: DockerNode, plugin: DockerPlugin, kind: str
) -> None:
    plugin.create(kind, INPUTS)
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(kind, INPUTS)
    assert "x already exists" in caught.value.details()
    assert "hush" not in caught.value.details()


@pytest.mark.parametrize("kind", KINDS)
def test_a_delete_of_what_is_missing_fails(
    node: DockerNode, plugin: DockerPlugin, kind: str
) -> None:
    resource = plugin.create(kind, INPUTS)
    plugin.delete(resource)
    with pytest.raises(grpc.RpcError) as caught:
        plugin.delete(resource)
    assert f"{resource.id} not found" in caught.value.details()
