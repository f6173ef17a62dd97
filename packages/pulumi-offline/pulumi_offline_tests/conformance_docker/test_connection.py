"""The way to a daemon: the user's ssh options, a checked host key, errors that say why."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.ssh_server import free_port, make_key
from pulumi_offline_tests.conformance_docker.node import Node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin, running_plugin
from pulumi_offline_tests.conformance_docker.registry import PORT, asking_registry
from pulumi_offline_tests.conformance_docker.specs import container, encoded, service, spec, task

SECRET = {"name": "s", "data": encoded("x")}


@pytest.fixture
def fresh(shared_node: Node, tmp_path: Path) -> Iterator[DockerPlugin]:
    """A plugin of the test's own, which it may configure anew."""
    with running_plugin(tmp_path, shared_node.config()) as running:
        yield running


def failure(plugin: DockerPlugin) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Secret", SECRET)
    return str(caught.value.details())


def test_another_host_key_than_the_pinned_one_is_refused(
    node: Node, fresh: DockerPlugin, tmp_path: Path
) -> None:
    peer = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    fresh.configure(node.config(sshOpts=node.ssh_options(f"{peer[0]} {peer[1]}")))
    message = failure(fresh)
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in message
    assert f"please make sure that {node.url} is reachable" in message
    assert node.docker.secrets() == []


def test_a_host_that_nobody_knows_is_refused(node: Node, fresh: DockerPlugin) -> None:
    unknown = [
        word if "KnownHostsCommand" not in word else "StrictHostKeyChecking=yes"
        for word in node.ssh_options()
    ]
    fresh.configure(node.config(sshOpts=unknown))
    assert "Host key verification failed" in failure(fresh)


def test_a_closed_port_is_told_with_the_command_that_failed(
    node: Node, fresh: DockerPlugin
) -> None:
    port = free_port()
    fresh.configure(node.config(host=f"ssh://root@127.0.0.1:{port}"))
    message = failure(fresh)
    assert "Connection refused" in message
    assert f"command [ssh -l root -p {port} " in message
    assert "-T -- 127.0.0.1 docker system dial-stdio] has exited with exit status 255" in message


def test_a_refused_login_is_told(node: Node, fresh: DockerPlugin) -> None:
    fresh.configure(node.config(host=node.url.replace("//", "//nobody-here-", 1)))
    assert "Permission denied" in failure(fresh)


def test_nothing_is_dialled_before_it_is_needed(node: Node, fresh: DockerPlugin) -> None:
    fresh.configure(node.config(host=f"ssh://root@127.0.0.1:{free_port()}"))
    assert fresh.checked("Container", container())
    assert fresh.planned("Container", container())


def test_a_read_and_a_delete_fail_too_where_the_daemon_cannot_be_reached(
    node: Node, fresh: DockerPlugin
) -> None:
    """Nothing is taken for gone because its node does not answer."""
    result = fresh.create("Container", container())
    fresh.configure(node.config(host=f"ssh://root@127.0.0.1:{free_port()}"))
    for call in (fresh.refreshed, fresh.delete):
        with pytest.raises(grpc.RpcError) as caught:
            call(result)
        assert "Connection refused" in caught.value.details()
    assert len(node.docker.containers()) == 1


def test_many_things_share_a_few_connections(node: Node, fresh: DockerPlugin) -> None:
    before = node.server.log.count("Accepted publickey")
    for index in range(10):
        fresh.create("Secret", {**SECRET, "name": f"s{index}"})
    assert node.server.log.count("Accepted publickey") - before <= 2


LOGIN = {"address": f"127.0.0.1:{PORT}", "username": "me", "password": "pw-1"}
IMAGE = f"127.0.0.1:{PORT}/x:1"


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("RemoteImage", {"name": IMAGE}),
        ("Container", container(image=IMAGE)),
        ("Service", service(taskSpec=task(containerSpec=spec(image=IMAGE)))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_registrys_login_comes_from_the_providers_configuration(
    node: Node, fresh: DockerPlugin, tmp_path: Path, kind: str, inputs: dict[str, Any]
) -> None:
    login = base64.b64encode(b"me:pw-1").decode()
    with asking_registry(node.dockerd, tmp_path) as requested:
        for registry_auth, previous in [([LOGIN], True), ([], False)]:
            requested.write_text("")
            fresh.configure(node.config(registryAuth=registry_auth))
            with suppress(grpc.RpcError):
                fresh.delete(fresh.create(kind, inputs))
            assert "/v2/" in requested.read_text()
            assert (f"Basic {login}" in requested.read_text()) == previous


def test_an_old_daemons_version_of_the_interface_is_spoken(node: Node, fresh: DockerPlugin) -> None:
    """The engine of the tests may be older than the plugin's library."""
    assert node.docker.version()["ApiVersion"]
    assert fresh.create("Container", container()).id
