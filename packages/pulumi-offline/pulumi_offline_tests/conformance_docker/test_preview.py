"""What a preview shows: inputs as they are, and what the daemon will fill in as not known yet."""

from __future__ import annotations

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.values import is_unknown
from pulumi_offline_tests.conformance_docker.node import Node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import container, encoded, service


def test_a_preview_of_a_create_touches_no_daemon(node: Node, plugin: DockerPlugin) -> None:
    plugin.planned("Container", container())
    plugin.planned("Service", service())
    plugin.planned("Secret", {"name": "s", "data": encoded("x")})
    assert node.docker.containers(all=True) == node.docker.services() == []
    assert node.docker.secrets() == []


def test_what_the_daemon_fills_in_is_not_known_yet(plugin: DockerPlugin) -> None:
    state = plugin.planned("Container", container())
    assert (state["image"], state["command"]) == ("busybox:1", ["sleep", "1000"])
    for name in ("id", "envs", "entrypoints", "hostname", "ipcMode", "logDriver", "runtime"):
        assert is_unknown(state[name]), name
    image = plugin.planned("RemoteImage", {"name": "busybox:1"})
    assert is_unknown(image["imageId"])
    assert is_unknown(image["repoDigest"])


def test_a_preview_of_an_update_keeps_what_the_daemon_filled_in(
    node: Node, plugin: DockerPlugin
) -> None:
    result = plugin.create("Service", service())
    planned = plugin.update(result, service(labels=[]), preview=True)
    assert planned.state["endpointSpec"]["mode"] == "vip"
    assert planned.state["mode"]["replicated"] == {"replicas": 1}
    assert node.docker.inspect_service(result.id)["Spec"]["Labels"] == {"token": "abc-1"}


def test_a_create_without_preview_is_the_control(node: Node, plugin: DockerPlugin) -> None:
    plugin.create("Container", container())
    assert len(node.docker.containers()) == 1
    with pytest.raises(grpc.RpcError):
        plugin.create("Container", container())
