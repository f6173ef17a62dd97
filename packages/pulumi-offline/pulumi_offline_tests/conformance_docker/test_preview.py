"""What a preview shows: inputs as they are, and what the daemon will fill in as not known yet."""

from __future__ import annotations

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.values import is_unknown
from pulumi_offline_tests.conformance_docker.node import DockerNode
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import (
    build_container,
    build_service,
    encode_base64,
)


def test_a_preview_of_a_create_touches_no_daemon(node: DockerNode, plugin: DockerPlugin) -> None:
    plugin.preview_create("Container", build_container())
    plugin.preview_create("Service", build_service())
    plugin.preview_create("Secret", {"name": "s", "data": encode_base64("x")})
    assert node.docker.containers(all=True) == node.docker.services() == []
    assert node.docker.secrets() == []


def test_what_the_daemon_fills_in_is_not_known_yet(plugin: DockerPlugin) -> None:
    state = plugin.preview_create("Container", build_container())
    assert (state["image"], state["command"]) == ("busybox:1", ["sleep", "1000"])
    for name in ("id", "envs", "entrypoints", "ipcMode", "logDriver", "runtime"):
        assert is_unknown(state[name]), name


def test_a_preview_of_an_update_keeps_what_the_daemon_filled_in(
    node: DockerNode, plugin: DockerPlugin
) -> None:
    resource = plugin.create("Service", build_service())
    planned = plugin.update(resource, build_service(labels=[]), preview=True)
    assert planned.state["mode"]["replicated"] == {"replicas": 1}
    assert node.docker.inspect_service(resource.id)["Spec"]["Labels"] == {"token": "abc-1"}


def test_a_create_without_preview_is_the_control(node: DockerNode, plugin: DockerPlugin) -> None:
    plugin.create("Container", build_container())
    assert len(node.docker.containers()) == 1
    with pytest.raises(grpc.RpcError):
        plugin.create("Container", build_container())
