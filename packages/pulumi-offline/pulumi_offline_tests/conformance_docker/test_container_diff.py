"""Which change of a container is an update, which a replacement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_offline_tests.conformance.values import UNKNOWN
from pulumi_offline_tests.conformance_docker.node import DockerNode
from pulumi_offline_tests.conformance_docker.plugin import CreatedResource, DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import (
    build_container,
    list_changed,
    read_decision,
)
from pulumi_offline_tests.conformance_docker.test_container import FULL

REPLACED = "replace, delete first"


@pytest.fixture(scope="module")
def resource(shared_node: DockerNode, plugin: DockerPlugin) -> Iterator[CreatedResource]:
    """A container that uses each input; the tests here only compare with it."""
    full = plugin.create("Container", {**FULL, "name": "compared"})
    yield full
    plugin.delete(full)


def build_changed(**change: Any) -> dict[str, Any]:
    return build_container(**{**FULL, "name": "compared", **change})


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"image": "busybox:2"},
        {"image": UNKNOWN},
        {"command": ["2000"]},
        {"command": ["1000", "more"]},
        {"entrypoints": ["sh"]},
        {"envs": ["A=1", "B=3"]},
        {"envs": ["A=1", "B=2", "C=3"]},
        {"envs": ["A=1", UNKNOWN]},
        {"labels": [{"label": "token", "value": "abc-2"}]},
        {"labels": [{"label": "token", "value": UNKNOWN}]},
        {"mounts": FULL["mounts"][:1]},
        {"mounts": None},
        {"devices": [{"hostPath": "/dev/null"}]},
        {"ulimits": [{"name": "nofile", "soft": 1, "hard": 2000}]},
        {"ulimits": None},
        {"logOpts": {"max-size": "20m"}},
        {"logOpts": None},
        {"networkMode": "none"},
        {"networkMode": None},
        {"ipcMode": "private"},
        {"runtime": "nvidia"},
        {"user": "1"},
    ],
    ids=str,
)
def test_these_make_a_new_container(
    plugin: DockerPlugin, resource: CreatedResource, change: dict[str, Any]
) -> None:
    response = plugin.diff(resource, build_changed(**change))
    assert (read_decision(response), list_changed(response)) == (REPLACED, set(change))


@pytest.mark.parametrize(
    "change",
    [
        {"mustRun": False},
        {"restart": "always"},
        {"destroyGraceSeconds": 4},
        {"destroyGraceSeconds": None},
        {"start": False},
        {
            "mounts": [
                {"type": "bind", "source": "/var", "target": "/models", "readOnly": True},
                FULL["mounts"][1],
            ]
        },
    ],
    ids=str,
)
def test_these_are_updates(
    plugin: DockerPlugin, resource: CreatedResource, change: dict[str, Any]
) -> None:
    response = plugin.diff(resource, build_changed(**change))
    assert (read_decision(response), list_changed(response)) == ("update", set(change))


@pytest.mark.parametrize(
    "change",
    [
        {},
        # What the daemon fills in, or what has a meaning when it is empty, may be left out.
        {"command": None},
        {"entrypoints": None},
        {"envs": None},
        {"envs": UNKNOWN},
        {"labels": None},
        {"logDriver": None},
        {"runtime": None},
        {"ipcMode": None},
        {"user": None},
        # The order of these means nothing.
        {"envs": FULL["envs"][::-1]},
        {"mounts": FULL["mounts"][::-1]},
        {"devices": FULL["devices"][::-1]},
    ],
    ids=str,
)
def test_these_are_no_difference(
    plugin: DockerPlugin, resource: CreatedResource, change: dict[str, Any]
) -> None:
    assert read_decision(plugin.diff(resource, build_changed(**change))) == "same"


def test_an_ignored_change_is_none(plugin: DockerPlugin, resource: CreatedResource) -> None:
    changed_inputs = build_changed(image="busybox:2", restart="always")
    response = plugin.diff(resource, changed_inputs, ignore=["image"])
    assert (read_decision(response), list_changed(response)) == ("update", {"restart"})


def test_a_changed_place_is_named(plugin: DockerPlugin, resource: CreatedResource) -> None:
    response = plugin.diff(resource, build_changed(command=["2000"], image="busybox:2"))
    assert set(response.detailedDiff) == {"command[0]", "image"}
    kinds = {item.kind for item in response.detailedDiff.values()}
    assert kinds == {response.detailedDiff["image"].UPDATE_REPLACE}
