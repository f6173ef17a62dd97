"""Secrets and configs: each change replaces, and only a missing one that is deleted is an error."""

from __future__ import annotations

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.values import is_secret, reveal
from pulumi_offline_tests.conformance_docker.node import Node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import changed, decision, encoded

KINDS = ["Secret", "ServiceConfig"]
INPUTS = {"name": "x", "data": encoded("hush"), "labels": [{"label": "a", "value": "b"}]}


@pytest.mark.parametrize("kind", KINDS)
def test_one_is_made_read_and_taken_away(node: Node, plugin: DockerPlugin, kind: str) -> None:
    result = plugin.create(kind, INPUTS)
    assert reveal(result.state["data"]) == encoded("hush")
    assert is_secret(result.state["data"]) == (kind == "Secret")
    refreshed = plugin.refreshed(result)
    assert refreshed
    assert refreshed.state["name"] == "x"
    assert decision(plugin.diff(refreshed, INPUTS)) == "same"
    plugin.delete(result)
    assert plugin.refreshed(result) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        {"name": "y"},
        {"data": encoded("other")},
        {"labels": [{"label": "a", "value": "c"}]},
        {"labels": []},
    ],
    ids=str,
)
def test_each_change_replaces(
    node: Node, plugin: DockerPlugin, kind: str, change: dict[str, object]
) -> None:
    response = plugin.diff(plugin.create(kind, INPUTS), {**INPUTS, **change})
    assert (decision(response), changed(response)) == ("replace, delete first", set(change))


@pytest.mark.parametrize("kind", KINDS)
def test_one_with_a_made_up_name_can_be_made_before_the_old_one_goes(
    node: Node, plugin: DockerPlugin, kind: str
) -> None:
    result = plugin.create(kind, {"data": encoded("a")})
    response = plugin.diff(result, {"data": encoded("b")})
    assert decision(response) == "replace, create first"


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_is_taken_fails_the_create(node: Node, plugin: DockerPlugin, kind: str) -> None:
    plugin.create(kind, INPUTS)
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(kind, INPUTS)
    assert "x already exists" in caught.value.details()
    assert "hush" not in caught.value.details()


@pytest.mark.parametrize("kind", KINDS)
def test_a_delete_of_what_is_missing_fails(node: Node, plugin: DockerPlugin, kind: str) -> None:
    result = plugin.create(kind, INPUTS)
    plugin.delete(result)
    with pytest.raises(grpc.RpcError) as caught:
        plugin.delete(result)
    assert f"{result.id} not found" in caught.value.details()


def test_a_config_may_be_given_as_it_is(node: Node, plugin: DockerPlugin) -> None:
    raw = {"name": "raw", "dataRaw": "fast: true"}
    result = plugin.create("ServiceConfig", raw)
    assert node.docker.inspect_config(result.id)["Spec"]["Data"] == encoded("fast: true")
    refreshed = plugin.refreshed(result)
    assert refreshed
    assert refreshed.state["dataRaw"] == "fast: true"
    assert decision(plugin.diff(refreshed, raw)) == "same"
