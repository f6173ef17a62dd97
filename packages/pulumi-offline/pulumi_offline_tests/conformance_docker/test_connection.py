"""The way to a daemon: the user's ssh options, a checked host key, errors that say why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.ssh_server import find_free_port, make_key
from pulumi_offline_tests.conformance_docker.node import DockerNode
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin, run_plugin
from pulumi_offline_tests.conformance_docker.specs import build_container, encode_base64

SECRET = {"name": "s", "data": encode_base64("x")}


@pytest.fixture
def fresh(shared_node: DockerNode, tmp_path: Path) -> Iterator[DockerPlugin]:
    """A plugin of the test's own, which it may configure anew."""
    with run_plugin(tmp_path, shared_node.build_config()) as running:
        yield running


def fail_to_create(plugin: DockerPlugin) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create("Secret", SECRET)
    return str(caught.value.details())


def test_another_host_key_than_the_pinned_one_is_refused(
    node: DockerNode, fresh: DockerPlugin, tmp_path: Path
) -> None:
    other_key = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    fresh.configure(
        node.build_config(sshOpts=node.build_ssh_options(f"{other_key[0]} {other_key[1]}"))
    )
    output = fail_to_create(fresh)
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in output
    assert f"please make sure that {node.url} is reachable" in output
    assert node.docker.secrets() == []


def test_a_host_that_nobody_knows_is_refused(node: DockerNode, fresh: DockerPlugin) -> None:
    unknown = [
        option if "KnownHostsCommand" not in option else "StrictHostKeyChecking=yes"
        for option in node.build_ssh_options()
    ]
    fresh.configure(node.build_config(sshOpts=unknown))
    assert "Host key verification failed" in fail_to_create(fresh)


def test_a_closed_port_is_told_with_the_command_that_failed(
    node: DockerNode, fresh: DockerPlugin
) -> None:
    port = find_free_port()
    fresh.configure(node.build_config(host=f"ssh://root@127.0.0.1:{port}"))
    output = fail_to_create(fresh)
    assert "Connection refused" in output
    assert f"command [ssh -l root -p {port} " in output
    assert "-T -- 127.0.0.1 docker system dial-stdio] has exited with exit status 255" in output


def test_a_refused_login_is_told(node: DockerNode, fresh: DockerPlugin) -> None:
    fresh.configure(node.build_config(host=node.url.replace("//", "//nobody-here-", 1)))
    assert "Permission denied" in fail_to_create(fresh)


def test_nothing_is_dialled_before_it_is_needed(node: DockerNode, fresh: DockerPlugin) -> None:
    fresh.configure(node.build_config(host=f"ssh://root@127.0.0.1:{find_free_port()}"))
    assert fresh.check_successfully("Container", build_container())
    assert fresh.preview_create("Container", build_container())


def test_a_read_and_a_delete_fail_too_where_the_daemon_cannot_be_reached(
    node: DockerNode, fresh: DockerPlugin
) -> None:
    """Nothing is taken for gone because its node does not answer."""
    resource = fresh.create("Container", build_container())
    fresh.configure(node.build_config(host=f"ssh://root@127.0.0.1:{find_free_port()}"))
    for call in (fresh.refresh, fresh.delete):
        with pytest.raises(grpc.RpcError) as caught:
            call(resource)
        assert "Connection refused" in caught.value.details()
    assert len(node.docker.containers()) == 1


def test_many_things_share_a_few_connections(node: DockerNode, fresh: DockerPlugin) -> None:
    before = node.server.log.count("Accepted publickey")
    for index in range(10):
        fresh.create("Secret", {**SECRET, "name": f"s{index}"})
    assert node.server.log.count("Accepted publickey") - before <= 2


def test_an_old_daemons_version_of_the_interface_is_spoken(
    node: DockerNode, fresh: DockerPlugin
) -> None:
    """The engine of the tests may be older than the plugin's library."""
    assert node.docker.version()["ApiVersion"]
    assert fresh.create("Container", build_container()).id
