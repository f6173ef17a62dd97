"""The way to a daemon: the user's ssh options, a checked host key, errors that say why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.ssh_server import free_port, make_key
from pulumi_offline_tests.conformance_docker.node import Node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin, running_plugin
from pulumi_offline_tests.conformance_docker.specs import container, encoded

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
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    fresh.configure(node.config(sshOpts=node.ssh_options(f"{other[0]} {other[1]}")))
    said = failure(fresh)
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in said
    assert f"please make sure that {node.url} is reachable" in said
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
    said = failure(fresh)
    assert "Connection refused" in said
    assert f"command [ssh -l root -p {port} " in said
    assert "-T -- 127.0.0.1 docker system dial-stdio] has exited with exit status 255" in said


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
    made = fresh.create("Container", container())
    fresh.configure(node.config(host=f"ssh://root@127.0.0.1:{free_port()}"))
    for call in (fresh.refreshed, fresh.delete):
        with pytest.raises(grpc.RpcError) as caught:
            call(made)
        assert "Connection refused" in caught.value.details()
    assert len(node.docker.containers()) == 1


def test_many_things_share_a_few_connections(node: Node, fresh: DockerPlugin) -> None:
    before = node.server.log.count("Accepted publickey")
    for index in range(10):
        fresh.create("Secret", {**SECRET, "name": f"s{index}"})
    assert node.server.log.count("Accepted publickey") - before <= 2


def test_an_old_daemons_version_of_the_interface_is_spoken(node: Node, fresh: DockerPlugin) -> None:
    """The engine of the tests may be older than the plugin's library."""
    assert node.docker.version()["ApiVersion"]
    assert fresh.create("Container", container()).id
